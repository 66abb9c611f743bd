/* SPDX-License-Identifier: Apache-2.0 */
#include "core/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96 /* ::ffff:0:0/96 */

const unsigned char ip_v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ip_parse(struct slice text, unsigned char ret[16], bool *ret_is_ipv4)
{
	char host[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof(host))
		return false;
	memcpy(host, text.p, text.n);
	host[text.n] = '\0';
	if (strlen(host) != text.n)
		return false;
	memcpy(ret, ip_v4_prefix, sizeof(ip_v4_prefix));
	*ret_is_ipv4 = inet_pton(AF_INET, host, ret + sizeof(ip_v4_prefix)) == 1;
	return *ret_is_ipv4 || inet_pton(AF_INET6, host, ret) == 1;
}

/* a decimal number of at most @max, without a sign */
static bool number_parse(struct slice text, int max, int *ret)
{
	int value = 0;

	if (text.n == 0 || text.n > 5)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		value = value * 10 + (text.p[i] - '0');
	}
	*ret = value;
	return value <= max;
}

static bool has_host_bits(const struct prefix *prefix)
{
	for (int bit = prefix->bits; bit < 128; bit++)
		if (prefix->address[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

int prefix_parse(struct slice text, struct prefix *ret)
{
	struct slice rest = slice_trim(text), host;
	struct prefix prefix = {.bits = 128};
	bool is_ipv4;
	int bits;

	if (!slice_split(&rest, '/', &host) || !ip_parse(host, prefix.address, &is_ipv4))
		return -EINVAL;
	if (rest.p) {
		if (!number_parse(rest, is_ipv4 ? 32 : 128, &bits))
			return -EINVAL;
		prefix.bits = is_ipv4 ? MAPPED_BITS + bits : bits;
	}
	if (has_host_bits(&prefix))
		return -EINVAL;
	*ret = prefix;
	return 0;
}

static bool prefix_contains(const struct prefix *prefix, const unsigned char address[16])
{
	size_t whole = (size_t)prefix->bits / 8;
	int rest = prefix->bits % 8;

	if (memcmp(prefix->address, address, whole) != 0)
		return false;
	return rest == 0 || (prefix->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool prefix_list_contains(const struct prefix_list *list, const unsigned char address[16])
{
	for (size_t i = 0; i < list->n; i++)
		if (prefix_contains(&list->items[i], address))
			return true;
	return false;
}

/* "192.0.2.1:8443" or "[2001:db8::1]:8443" into its two halves */
static bool split_listen(struct slice text, struct slice *host, struct slice *port)
{
	const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	bool has_brackets;

	if (!colon)
		return false;
	*host = slice_make(text.p, (size_t)(colon - text.p));
	*port = slice_make(colon + 1, text.n - host->n - 1);
	has_brackets = host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']';
	if (has_brackets)
		*host = slice_make(host->p + 1, host->n - 2);
	/* an IPv6 address needs the brackets, an IPv4 address has none */
	return has_brackets == (host->n && memchr(host->p, ':', host->n));
}

int listen_address_parse(struct slice text, struct listen_address *ret)
{
	struct listen_address address = {0};
	unsigned char bytes[16];
	struct slice host, port;
	bool is_ipv4;

	text = slice_trim(text);
	if (!split_listen(text, &host, &port) || !ip_parse(host, bytes, &is_ipv4) ||
	    !number_parse(port, 65535, &address.port))
		return -EINVAL;
	memcpy(address.host, host.p, host.n); /* ip_parse() has limited it */
	address.text = slice_dup(text);
	if (!address.text)
		return -ENOMEM;
	*ret = address;
	return 0;
}

void listen_address_deinit(struct listen_address *address)
{
	free(address->text);
	*address = (struct listen_address){0};
}

bool listen_address_is_loopback(const struct listen_address *address)
{
	static const struct prefix loopback[] = {
		{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}, MAPPED_BITS + 8},
		{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128},
	};
	unsigned char bytes[16];
	bool is_ipv4;

	if (!ip_parse(slice_of(address->host), bytes, &is_ipv4))
		return false;
	return prefix_contains(&loopback[0], bytes) || prefix_contains(&loopback[1], bytes);
}
