/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/request_head.h"

#include <ctype.h>
#include <string.h>

static struct slice value_slice(const char *value, size_t n)
{
	return slice_make(value ? value : "", value ? n : 0);
}

static void read_length(struct request_head *head, struct slice value)
{
	uint64_t n = 0;

	value = slice_trim(value);
	head->has_length = value.n > 0;
	for (size_t i = 0; i < value.n; i++) {
		/* libmicrohttpd has refused what is no number; what overflows is too large */
		if (!isdigit((unsigned char)value.p[i]) || __builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (unsigned)(value.p[i] - '0'), &n)) {
			n = UINT64_MAX;
			break;
		}
	}
	head->content_length = n;
	head->has_body |= n > 0;
}

static void read_authorization(struct request_head *head, struct slice value)
{
	head->repeated_authorization = head->authorization.p != NULL;
	head->authorization = value;
}

static void read_content_type(struct request_head *head, struct slice value)
{
	head->content_type = value;
}

static void read_content_encoding(struct request_head *head, struct slice value)
{
	head->content_encoding = value;
}

static void read_transfer_encoding(struct request_head *head, struct slice value)
{
	(void)value; /* libmicrohttpd takes chunked only */
	head->is_chunked = true;
	head->has_body = true;
}

static void read_forwarded_for(struct request_head *head, struct slice value)
{
	head->forwarded_for = value; /* of several, the last: the nearest proxy's */
}

static void read_expect(struct request_head *head, struct slice value)
{
	head->expects_continue = slice_eq_nocase(slice_trim(value), SLICE("100-continue"));
}

static const struct {
	const char *name;
	void (*read)(struct request_head *head, struct slice value);
} headers[] = {
	{"Authorization", read_authorization},
	{"Content-Encoding", read_content_encoding},
	{"Content-Length", read_length},
	{"Content-Type", read_content_type},
	{"Expect", read_expect},
	{"Transfer-Encoding", read_transfer_encoding},
	{"X-Forwarded-For", read_forwarded_for},
};

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *key,
				 size_t key_size, const char *value, size_t value_size)
{
	(void)kind;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		if (slice_eq_nocase(slice_make(key, key_size), slice_of(headers[i].name)))
			headers[i].read(cls, value_slice(value, value_size));
	return MHD_YES;
}

void request_head_read(struct MHD_Connection *connection, const char *url, const char *method,
		       struct request_head *ret)
{
	const union MHD_ConnectionInfo *info;

	*ret = (struct request_head){
		.path = slice_of(url),
		.is_post = strcmp(method, MHD_HTTP_METHOD_POST) == 0,
	};
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	address_from_sockaddr(info ? info->client_addr : NULL, &ret->peer);
	(void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, ret);
}
