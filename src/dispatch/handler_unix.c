/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handler type `unix`: a consumer that listens on a Unix socket and speaks the line protocol
 *
 * The daemon connects; dispatch/channel.h says when, and what becomes of a consumer that is away.
 */
#include "dispatch/handler.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "dispatch/channel.h"

struct unix_handler {
	struct channels channels;
	struct sockaddr_un address;
};

static struct unix_handler *of(struct handler *handler)
{
	return container_of(handler, struct unix_handler, channels.base);
}

/* Return: a connected, non-blocking socket, or a negative errno */
static int open_socket(const struct sockaddr_un *address)
{
	_cleanup_(fd_closep)
	int fd = -1;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* on a Unix socket this succeeds or fails at once (EAGAIN: the backlog is full) */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int open_channel(struct channel *c)
{
	int fd = open_socket(&of(&c->owner->base)->address);

	if (fd < 0)
		return fd;
	c->read_fd = fd;
	c->write_fd = fd;
	return 0;
}

static void close_channel(struct channel *c, bool is_abort)
{
	(void)is_abort;
	c->read_fd = fd_close(c->read_fd);
	c->write_fd = -1;
}

static const struct channel_ops ops = {
	.subject = "consumer at",
	.open = open_channel,
	.close = close_channel,
};

static void free_handler(struct handler *handler)
{
	struct unix_handler *h = of(handler);

	channels_deinit(&h->channels);
	free(h);
}

static int make(const struct handler_config *config, struct handler **ret_handler, struct error *e)
{
	size_t length = strlen(config->socket);
	struct unix_handler *h;
	int r;

	if (length >= sizeof(h->address.sun_path))
		return error_set(
			e, -ENAMETOOLONG,
			"the socket's path '%s' is too long; at most %zu bytes are possible",
			config->socket, sizeof(h->address.sun_path) - 1);
	h = calloc(1, sizeof(*h));
	if (!h)
		return error_set(e, -ENOMEM, "out of memory");
	h->address.sun_family = AF_UNIX;
	memcpy(h->address.sun_path, config->socket, length + 1);
	r = channels_init(&h->channels, &ops, config->socket, (size_t)config->concurrency, e);
	if (r < 0) {
		free_handler(&h->channels.base);
		return r;
	}
	*ret_handler = &h->channels.base;
	return 0;
}

const struct handler_ops handler_unix_ops = {
	.make = make,
	.start = channels_start,
	.capacity = channels_capacity,
	.expect = channels_expect,
	.submit = channels_submit,
	.abort = channels_abort,
	.stop = channels_stop,
	.free = free_handler,
};
