/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the options of a credential agree whose tokens another server vouches for
 */
#include <ctype.h>
#include <errno.h>

#include "core/config_parts.h"

#define HTTPS "https://"

/* https, a host, no user, no fragment: what is left to libcurl cannot lead astray */
static bool is_https_uri(const char *uri)
{
	const char *host = uri + strlen(HTTPS);

	if (!slice_starts_nocase(slice_of(uri), SLICE(HTTPS)))
		return false;
	if (!isalnum((unsigned char)*host) && *host != '[')
		return false;
	for (const char *p = host; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("#@\"<>\\", *p))
			return false;
	return true;
}

static int check_uri(const struct section *s, const char *option, const char *uri, struct error *e)
{
	if (uri && !is_https_uri(uri))
		return section_error(s, option, e,
				     "'%s' is not a URL of the form https://HOST/PATH", option);
	return 0;
}

/* RFC 6749 section 3.3; they go into a header as they are */
static int check_scope(const struct section *s, const char *scope, struct error *e)
{
	for (const char *p = scope ? scope : ""; *p; p++)
		if (*p < ' ' || *p >= 0x7f || *p == '"' || *p == '\\')
			return section_error(s, "required_scope", e,
					     "'required_scope' may hold printable ASCII without \" "
					     "and \\; several are separated by blanks");
	return 0;
}

static int require(const struct section *s, const char *value, const char *option, struct error *e)
{
	return value ? 0 : section_error(s, NULL, e, "'%s' is missing", option);
}

int config_check_jwt(const struct credential_config *c, const struct section *s, struct error *e)
{
	int r = require(s, c->issuer, "issuer", e);

	if (r == 0)
		r = require(s, c->audience, "audience", e);
	if (r == 0 && !c->jwks_uri == !c->jwks_file)
		r = section_error(s, NULL, e,
				  "exactly one of 'jwks_uri' and 'jwks_file' must be given");
	if (r == 0)
		r = check_uri(s, "jwks_uri", c->jwks_uri, e);
	return r < 0 ? r : check_scope(s, c->required_scope, e);
}

int config_check_introspection(const struct credential_config *c, const struct section *s,
			       struct error *e)
{
	int r = require(s, c->introspection_uri, "introspection_uri", e);

	if (r == 0)
		r = require(s, c->client_id, "client_id", e);
	if (r == 0)
		r = require(s, c->client_secret_file, "client_secret_file", e);
	if (r == 0)
		r = check_uri(s, "introspection_uri", c->introspection_uri, e);
	return r < 0 ? r : check_scope(s, c->required_scope, e);
}
