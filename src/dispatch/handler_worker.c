/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handler type `exec` with `mode = worker`: programs that are kept running and speak the line
 * protocol over their standard input and output
 *
 * A worker is started when a delivery is due; dispatch/channel.h says what becomes of one that ends
 * or does not answer. Its standard error goes to the log, within bounds (dispatch/line_log.h).
 */
#include "dispatch/handler.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "dispatch/channel.h"
#include "dispatch/child.h"
#include "dispatch/exec.h"
#include "dispatch/exec_env.h"
#include "dispatch/line_log.h"

#define CHUNK       (16 * 1024)
#define LAST_CHUNKS 2   /* of what it wrote last: a child of it may write on for ever */
#define GRACE_MS    200 /* for one that ends by itself, such as at the end of its input */

struct worker_handler {
	struct channels channels;
	char **envp;
	struct child_limits limits;
};

/* one that runs; a channel's `own` */
struct worker {
	struct child child;
	int error_fd; /* -1: closed, or not wanted */
	struct line_log log;
};

enum { WATCH_ERROR, WATCH_END, N_WATCHED };

static struct worker_handler *of(struct handler *handler)
{
	return container_of(handler, struct worker_handler, channels.base);
}

/* --- start --- */

/* our ends of the pipes, and the program's */
struct pipes {
	int in[2], out[2], error[2];
};

#define PIPES_NULL                                                                                 \
	{                                                                                          \
		{-1, -1}, {-1, -1},                                                                \
		{                                                                                  \
			-1, -1                                                                     \
		}                                                                                  \
	}

static void close_pipes(struct pipes *pipes)
{
	int *fds[] = {&pipes->in[0],  &pipes->in[1],    &pipes->out[0],
		      &pipes->out[1], &pipes->error[0], &pipes->error[1]};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		*fds[i] = fd_close(*fds[i]);
}

static int open_pipes(struct pipes *pipes, bool with_error)
{
	int r;

	r = child_pipe(pipes->in, 1);
	if (r == 0)
		r = child_pipe(pipes->out, 0);
	if (r == 0 && with_error)
		return child_pipe(pipes->error, 0);
	if (r == 0) {
		pipes->error[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
		r = pipes->error[1] < 0 ? -errno : 0;
	}
	return r;
}

static int start_program(struct worker_handler *h, const struct pipes *pipes, struct child *ret)
{
	const struct handler_config *config = h->channels.base.config;
	struct child_request request = {
		.argv = config->command.items, /* a NULL stands behind the last */
		.envp = h->envp,
		.in_fd = pipes->in[0],
		.out_fd = pipes->out[1],
		.err_fd = pipes->error[1],
		.limits = &h->limits,
	};

	return child_start(&request, ret);
}

static int open_channel(struct channel *c)
{
	struct worker_handler *h = of(&c->owner->base);
	const struct handler_config *config = h->channels.base.config;
	struct pipes pipes = PIPES_NULL;
	struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return -ENOMEM;
	r = open_pipes(&pipes, config->log_stderr);
	if (r == 0)
		r = start_program(h, &pipes, &worker->child);
	if (r == 0) {
		metric_inc(METRIC_WORKER_STARTS);
		line_log_init(&worker->log, config->name, clock_monotonic_ms());
		c->write_fd = steal_fd(&pipes.in[1]);
		c->read_fd = steal_fd(&pipes.out[0]);
		worker->error_fd = steal_fd(&pipes.error[0]);
		c->own = worker;
	} else {
		free(worker);
	}
	close_pipes(&pipes);
	return r;
}

/* --- while it runs --- */

static nfds_t watch(struct channel *c, struct pollfd fds[CHANNEL_WATCHED_MAX])
{
	const struct worker *worker = c->own;

	fds[WATCH_ERROR] = (struct pollfd){.fd = worker->error_fd, .events = POLLIN};
	fds[WATCH_END] = (struct pollfd){.fd = worker->child.pidfd, .events = POLLIN};
	return N_WATCHED;
}

/* one piece, so that the rest gets its turn; Return: false when there is nothing more just now */
static bool read_error(struct worker *worker)
{
	char chunk[CHUNK];
	ssize_t n;

	if (worker->error_fd < 0)
		return false;
	n = read(worker->error_fd, chunk, sizeof(chunk));
	if (n > 0)
		line_log_add(&worker->log, slice_make(chunk, (size_t)n), clock_monotonic_ms());
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		worker->error_fd = fd_close(worker->error_fd);
	return n > 0;
}

static int on_watched(struct channel *c, const struct pollfd *fds)
{
	if (fds[WATCH_ERROR].revents)
		(void)read_error(c->own);
	return fds[WATCH_END].revents ? SESSION_E_CLOSED : SESSION_OK;
}

/* --- end --- */

/* Return: true when it has ended before @until_ms */
static bool wait_for_end(struct worker *worker, int64_t until_ms)
{
	for (;;) {
		struct pollfd fds[] = {
			[WATCH_ERROR] = {.fd = worker->error_fd, .events = POLLIN},
			[WATCH_END] = {.fd = worker->child.pidfd, .events = POLLIN},
		};
		int64_t left = MIN_OF(until_ms - clock_monotonic_ms(), INT_MAX);

		if (poll(fds, ARRAY_SIZE(fds), (int)MAX_OF(left, 0)) < 0 && errno != EINTR)
			return false;
		if (fds[WATCH_END].revents)
			return true;
		if (fds[WATCH_ERROR].revents)
			(void)read_error(worker);
		if (left <= 0)
			return false;
	}
}

/* one that ends by itself ends the wait */
static void end_program(struct worker *worker, bool is_abort)
{
	int64_t kill_after_ms = is_abort ? EXEC_ABORT_KILL_AFTER_MS : EXEC_KILL_AFTER_MS;

	if (wait_for_end(worker, clock_monotonic_ms() + GRACE_MS))
		return;
	child_kill(&worker->child, SIGTERM);
	(void)wait_for_end(worker, clock_monotonic_ms() + kill_after_ms);
	/* the whole group, before the end of its leader is collected and its number is free */
	child_kill(&worker->child, SIGKILL);
	(void)wait_for_end(worker, clock_monotonic_ms() + EXEC_KILL_AFTER_MS);
}

static void describe_end(struct channel *c, const struct child_end *end)
{
	const char *name = sigabbrev_np(end->signal); /* NULL: a real-time signal */

	/* the array is large enough */
	if (end->signal)
		(void)snprintf(c->why, sizeof(c->why), "the program was ended by signal %d (SIG%s)",
			       end->signal, name ? name : "RT");
	else
		(void)snprintf(c->why, sizeof(c->why), "the program ended with exit code %d",
			       end->code);
}

static void close_channel(struct channel *c, bool is_abort)
{
	struct worker *worker = c->own;
	struct child_end end;

	/* The end of its input asks it to end. What it still writes nobody reads, but the pipe
	 * stays until then: SIGPIPE would keep it from cleaning up. */
	c->write_fd = fd_close(c->write_fd);
	end_program(worker, is_abort);
	c->read_fd = fd_close(c->read_fd);
	if (wait_for_end(worker, 0) && child_collect(&worker->child, &end) == 0 && c->is_closed)
		describe_end(c, &end);
	for (int i = 0; i < LAST_CHUNKS && read_error(worker); i++)
		;
	line_log_end(&worker->log, clock_monotonic_ms());
	worker->error_fd = fd_close(worker->error_fd);
	child_abandon(&worker->child); /* if it survived even SIGKILL */
	free(worker);
	c->own = NULL;
}

static const struct channel_ops ops = {
	.subject = "worker",
	.open = open_channel,
	.watch = watch,
	.on_watched = on_watched,
	.close = close_channel,
};

/* --- the dispatcher's side --- */

static void free_handler(struct handler *handler)
{
	struct worker_handler *h = of(handler);

	channels_deinit(&h->channels);
	exec_env_free(h->envp);
	child_limits_deinit(&h->limits);
	free(h);
}

static int make(const struct handler_config *config, struct handler **ret_handler, struct error *e)
{
	struct worker_handler *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return error_set(e, -ENOMEM, "out of memory");
	r = channels_init(&h->channels, &ops, config->command.items[0], (size_t)config->concurrency,
			  e);
	if (r == 0)
		r = child_limits_init(config, &h->limits, e);
	if (r == 0 && exec_env_new(config, NULL, &h->envp) < 0)
		r = error_set(e, -ENOMEM, "out of memory");
	if (r < 0) {
		free_handler(&h->channels.base);
		return r;
	}
	*ret_handler = &h->channels.base;
	return 0;
}

const struct handler_ops handler_worker_ops = {
	.make = make,
	.start = channels_start,
	.capacity = channels_capacity,
	.expect = channels_expect,
	.submit = channels_submit,
	.abort = channels_abort,
	.stop = channels_stop,
	.free = free_handler,
};
