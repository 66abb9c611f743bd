/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/transform.h"

#include <errno.h>
#include <stdlib.h>

#include "core/metrics.h"
#include "jq/fault.h"
#include "jq/host.h"
#include "jq/wire.h"

struct transform {
	struct host *host;
};

int transform_new(const struct handler_config *config, struct transform **ret_transform,
		  struct error *e)
{
	const struct host_program program = {config->transform, true};
	struct transform *transform;

	*ret_transform = NULL;
	if (!config->transform)
		return 0;
	transform = calloc(1, sizeof(*transform));
	if (!transform || host_new(&program, 1, &transform->host) < 0) {
		free(transform);
		return error_set(e, -ENOMEM, "out of memory");
	}
	*ret_transform = transform;
	return 0;
}

void transform_free(struct transform *transform)
{
	if (!transform)
		return;
	host_free(transform->host);
	free(transform);
}

static void take_output(struct attempt *attempt, struct buf *output)
{
	attempt->job->payload_n = output->n;
	attempt->transformed = buf_steal(output);
	attempt->job->payload = attempt->transformed;
}

bool transform_apply(struct transform *transform, struct attempt *attempt)
{
	struct slice body = slice_make(attempt->job->payload, attempt->job->payload_n);
	struct buf output = BUF_INIT(WIRE_OUTPUT_MAX);
	int fault = 0, r;

	if (!transform || attempt->transformed)
		return true;
	r = host_transform(transform->host, 0, body, &output, &fault);
	if (r == 0) {
		take_output(attempt, &output);
	} else if (r == -EBADMSG) {
		metric_inc(METRIC_TRANSFORM_FAILURES);
		attempt_result_set(&attempt->result, ATTEMPT_DEAD, "transform: %s",
				   fault_text(fault));
	} else {
		attempt_result_set(&attempt->result, ATTEMPT_FAILED, "cannot run jq: %s",
				   error_name(r));
	}
	buf_deinit(&output);
	return r == 0;
}
