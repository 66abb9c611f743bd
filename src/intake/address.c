/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static bool is_v4(const struct address *a)
{
	return memcmp(a->bytes, ip_v4_prefix, sizeof(ip_v4_prefix)) == 0;
}

static void write_text(struct address *a)
{
	bool v4 = is_v4(a);

	a->text[0] = '\0';
	(void)inet_ntop(v4 ? AF_INET : AF_INET6, a->bytes + (v4 ? 12 : 0), a->text,
			sizeof(a->text)); /* the room is enough for every address */
}

static void from_v4(const void *four, struct address *ret)
{
	memcpy(ret->bytes, ip_v4_prefix, sizeof(ip_v4_prefix));
	memcpy(ret->bytes + 12, four, 4);
}

void address_from_sockaddr(const struct sockaddr *sa, struct address *ret)
{
	if (sa && sa->sa_family == AF_INET)
		from_v4(&((const struct sockaddr_in *)(const void *)sa)->sin_addr, ret);
	else if (sa && sa->sa_family == AF_INET6)
		memcpy(ret->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	else
		memcpy(ret->bytes, &in6addr_loopback, 16);
	write_text(ret);
}

int address_parse(struct slice text, struct address *ret)
{
	bool is_ipv4;

	text = slice_trim(text);
	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = slice_make(text.p + 1, text.n - 2);
	if (!ip_parse(text, ret->bytes, &is_ipv4))
		return -EINVAL;
	write_text(ret);
	return 0;
}

/* cut the last entry off a comma-separated list */
static struct slice take_last(struct slice *list)
{
	const char *comma = list->n ? memrchr(list->p, ',', list->n) : NULL;
	struct slice last = *list;

	if (!comma) {
		*list = SLICE_NULL;
		return last;
	}
	last = slice_make(comma + 1, (size_t)(list->p + list->n - comma - 1));
	list->n = (size_t)(comma - list->p);
	return last;
}

struct address address_of_client(const struct address *peer, const struct prefix_list *trusted,
				 struct slice forwarded_for)
{
	struct address client = *peer, next;

	while (forwarded_for.n > 0 && prefix_list_contains(trusted, client.bytes)) {
		if (address_parse(take_last(&forwarded_for), &next) < 0)
			break;
		client = next;
	}
	return client;
}

void address_network(const struct address *a, unsigned char ret_key[16])
{
	memcpy(ret_key, a->bytes, 16);
	if (!is_v4(a))
		memset(ret_key + 8, 0, 8);
}
