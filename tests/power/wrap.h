/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of our own code that fail when a test says so: linked in with --wrap, so that the
 * libraries' own calls are left alone
 *
 * Threads: any.
 */
#pragma once

enum wrapped {
	WRAP_MEMORY,  /* malloc() and its kin: NULL */
	WRAP_THREAD,  /* pthread_create(): EAGAIN */
	WRAP_SPAWN,   /* posix_spawn(): EAGAIN */
	WRAP_PIPE,    /* pipe2(): EMFILE */
	WRAP_EVENTFD, /* eventfd(): EMFILE */
	WRAP_PIDFD,   /* pidfd_open(): EMFILE */
	WRAP_SOCKET,  /* socket(): EMFILE */
	WRAPS
};

/* the calls from the @nth on fail, from 1, @times of them; 0: none any more */
void wrap_fail(enum wrapped call, long nth, long times);
/* Return: how many have failed since wrap_fail() */
long wrap_failed(void);
