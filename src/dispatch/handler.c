/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/handler.h"

#include "dispatch/handler_tally.h"

static const struct handler_ops *const types[] = {
	[HANDLER_EXEC] = &handler_exec_ops,
	[HANDLER_UNIX] = &handler_unix_ops,
};

static const struct handler_ops *ops_of(const struct handler_config *config)
{
	if (config->type == HANDLER_EXEC && config->mode == MODE_WORKER)
		return &handler_worker_ops;
	return types[config->type];
}

int handler_new(const struct handler_config *config, const struct handler_callbacks *callbacks,
		struct handler **ret_handler, struct error *e)
{
	const struct handler_ops *ops = ops_of(config);
	_cleanup_(transform_freep)
	struct transform *transform = NULL;
	struct handler *handler;
	int r;

	r = transform_new(config, &transform, e);
	if (r == 0)
		r = ops->make(config, &handler, e);
	if (r != 0)
		return error_prefix(e, r, "handler %s", config->name);
	handler->ops = ops;
	handler->config = config;
	handler->callbacks = *callbacks;
	handler->transform = steal_ptr(&transform);
	handler_tally_open(config->name);
	*ret_handler = handler;
	return 0;
}

int handler_start(struct handler *handler, struct error *e)
{
	int r = handler->ops->start(handler, e);

	return r < 0 ? error_prefix(e, r, "handler %s", handler->config->name) : 0;
}

size_t handler_capacity(struct handler *handler)
{
	return handler->ops->capacity(handler);
}

void handler_expect(struct handler *handler)
{
	if (handler->ops->expect)
		handler->ops->expect(handler);
}

void handler_submit(struct handler *handler, struct attempt *attempt)
{
	if (attempt->job->body != BODY_THERE) {
		attempt_result_set(&attempt->result, ATTEMPT_DEAD, "%s",
				   body_fault(attempt->job->body));
		handler->callbacks.on_done(attempt, handler->callbacks.arg);
		return;
	}
	handler->ops->submit(handler, attempt);
}

void handler_abort(struct handler *handler)
{
	handler->ops->abort(handler);
}

void handler_stop(struct handler *handler)
{
	handler->ops->stop(handler);
}

void handler_free(struct handler *handler)
{
	if (!handler)
		return;
	transform_free(handler->transform);
	handler->ops->free(handler);
}
