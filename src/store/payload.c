/* SPDX-License-Identifier: Apache-2.0 */
#include "store/payload.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <zstd.h>

/* Level and least size by measurement: src/README.md, "What was measured". */
#define LEVEL        1
#define WORTH_TRYING 4096 /* bytes */

static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void free_context(void *context)
{
	(void)ZSTD_freeCCtx(context); /* always succeeds for a context on the heap */
}

static void make_key(void)
{
	if (pthread_key_create(&context_key, free_context) != 0)
		abort(); /* before the first event: no key is left in this process */
}

/* a context costs more to make than a body to compress */
static ZSTD_CCtx *context_of_thread(void)
{
	ZSTD_CCtx *context;

	(void)pthread_once(&context_once, make_key); /* cannot fail with a valid once */
	context = pthread_getspecific(context_key);
	if (context)
		return context;
	context = ZSTD_createCCtx();
	if (context && pthread_setspecific(context_key, context) != 0) {
		free_context(context);
		return NULL;
	}
	return context;
}

static struct payload raw(struct slice body)
{
	return (struct payload){.encoding = PAYLOAD_RAW, .bytes = body};
}

struct payload payload_encode(struct slice body, bool compress)
{
	ZSTD_CCtx *context;
	size_t room, n;
	char *p;

	if (!compress || body.n < WORTH_TRYING)
		return raw(body);
	context = context_of_thread();
	room = body.n - body.n / 4; /* what does not shrink to that does not pay */
	p = context ? malloc(room) : NULL;
	if (!p)
		return raw(body);
	n = ZSTD_compressCCtx(context, p, room, body.p, body.n, LEVEL);
	if (ZSTD_isError(n)) {
		free(p);
		return raw(body);
	}
	return (struct payload){PAYLOAD_ZSTD, slice_make(p, n), p};
}

void payload_deinit(struct payload *payload)
{
	free(payload->memory);
	*payload = PAYLOAD_NULL;
}

int payload_decode(struct slice bytes, char **ret_p, size_t *ret_n)
{
	unsigned long long size = ZSTD_getFrameContentSize(bytes.p, bytes.n);
	size_t n;
	char *p;

	if (size > PAYLOAD_MAX) /* the codes for "unknown" and "damaged" are larger still */
		return -EBADMSG;
	p = malloc((size_t)size + 1); /* never 0 bytes */
	if (!p)
		return -ENOMEM;
	n = ZSTD_decompress(p, (size_t)size, bytes.p, bytes.n);
	if (ZSTD_isError(n) || n != size) {
		free(p);
		return -EBADMSG;
	}
	*ret_p = p;
	*ret_n = n;
	return 0;
}
