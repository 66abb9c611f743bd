/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/ask.h"

#include <errno.h>
#include <string.h>

#include "core/config.h"

enum ctl_exit ask_open(const struct context *ctx, struct reader **ret_reader)
{
	struct error e = ERROR_INIT;
	int r = reader_open(ctx->config->store.path, ret_reader, &e);

	if (r == -ENOENT)
		return ctl_fail(CTL_FAILED,
				"no store at '%s' yet: has riskhookd been started with this "
				"configuration?",
				ctx->config->store.path);
	if (r == -EACCES)
		return ctl_fail(CTL_FAILED, "%s; root and the user of riskhookd may read it",
				e.text);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "%s", e.text);
	return ask_result(reader_keep_few_pages(*ret_reader));
}

struct printer *ask_printer(const struct context *ctx, const struct print_target *target,
			    const char *columns)
{
	return printer_new(target, ctx->args->json ? PRINT_JSON : PRINT_TABLE, columns);
}

enum ctl_exit ask_result(int r)
{
	if (r >= 0 || r == -EPIPE)
		return CTL_OK;
	return ctl_fail(CTL_FAILED, "cannot read the store: %s", error_name(r));
}

enum ctl_exit ask_finish(struct printer *printer, int r, const char *what)
{
	if (r == 0)
		r = printer_flush(printer);
	if (r == 0 && printer_rows(printer) == 0)
		return ctl_fail(CTL_NOTHING, "no %s", what);
	return ask_result(r);
}

int ask_print_body(const struct value *values, int n_values, void *target)
{
	int r = n_values > 0 ? print_bytes(target, values[0].text) : 0;

	return r < 0 ? r : 1;
}

enum ctl_exit ask_body_result(int r, const char *what)
{
	return r == 0 ? ctl_fail(CTL_NOTHING, "no %s", what) : ask_result(r);
}

const struct value *ask_value(const struct value *values, int n_values, const char *name)
{
	for (int i = 0; i < n_values; i++) {
		if (strcmp(values[i].name, name) == 0)
			return &values[i];
	}
	return NULL;
}
