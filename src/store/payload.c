/* SPDX-License-Identifier: Apache-2.0 */
#include "store/payload.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <zstd.h>

/* Levels and sizes by measurement: src/README.md, "What was measured". */
#define WORTH_TRYING     256         /* bytes */
#define LARGE            (16 * 1024) /* bytes; from here on a dictionary costs time and saves little */
#define LEVEL_LARGE      1
#define LEVEL_DICTIONARY (-1)

/* of a thread; each costs more to make than a body to compress */
struct contexts {
	ZSTD_CCtx *compress;
	ZSTD_DCtx *decompress;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* constant after once; NULL without memory */
static pthread_key_t contexts_key;
static ZSTD_CDict *compress_dictionary;
static ZSTD_DDict *decompress_dictionary;

static void free_contexts(void *p)
{
	struct contexts *contexts = p;

	(void)ZSTD_freeCCtx(contexts->compress); /* always succeeds for a context on the heap */
	(void)ZSTD_freeDCtx(contexts->decompress);
	free(contexts);
}

static void set_up(void)
{
	if (pthread_key_create(&contexts_key, free_contexts) != 0)
		abort(); /* before the first event: no key is left in this process */
	compress_dictionary =
		ZSTD_createCDict(payload_dictionary_1, payload_dictionary_1_n, LEVEL_DICTIONARY);
	decompress_dictionary = ZSTD_createDDict(payload_dictionary_1, payload_dictionary_1_n);
}

/* Return: the thread's, or NULL without memory; its members may be NULL */
static struct contexts *contexts_of_thread(void)
{
	struct contexts *contexts;

	(void)pthread_once(&once, set_up); /* cannot fail with a valid once */
	contexts = pthread_getspecific(contexts_key);
	if (contexts)
		return contexts;
	contexts = calloc(1, sizeof(*contexts));
	if (contexts && pthread_setspecific(contexts_key, contexts) != 0) {
		free(contexts);
		return NULL;
	}
	return contexts;
}

/* Return: a context that is set up for the encoding, or NULL without memory */
static ZSTD_CCtx *begin_compression(enum payload_encoding encoding)
{
	struct contexts *contexts = contexts_of_thread();
	ZSTD_CCtx *context;
	size_t r;

	if (!contexts)
		return NULL;
	if (!contexts->compress)
		contexts->compress = ZSTD_createCCtx();
	context = contexts->compress;
	if (!context || !compress_dictionary)
		return NULL;
	/* a body that did not fit its room has left a frame open */
	r = ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
	if (!ZSTD_isError(r))
		r = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	if (ZSTD_isError(r))
		return NULL;
	if (encoding == PAYLOAD_ZSTD_DICTIONARY_1)
		r = ZSTD_CCtx_refCDict(context, compress_dictionary); /* brings its level along */
	else
		r = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL_LARGE);
	return ZSTD_isError(r) ? NULL : context;
}

static struct payload raw(struct slice body)
{
	return (struct payload){.encoding = PAYLOAD_RAW, .bytes = body};
}

struct payload payload_encode(struct slice body, bool compress)
{
	enum payload_encoding encoding = body.n < LARGE ? PAYLOAD_ZSTD_DICTIONARY_1 : PAYLOAD_ZSTD;
	ZSTD_CCtx *context;
	size_t room, n;
	char *p;

	if (!compress || body.n < WORTH_TRYING)
		return raw(body);
	context = begin_compression(encoding);
	room = body.n - body.n / 4; /* what does not shrink to that does not pay */
	p = context ? malloc(room) : NULL;
	if (!p)
		return raw(body);
	n = ZSTD_compress2(context, p, room, body.p, body.n);
	if (ZSTD_isError(n)) {
		free(p);
		return raw(body);
	}
	return (struct payload){encoding, slice_make(p, n), p};
}

void payload_deinit(struct payload *payload)
{
	free(payload->memory);
	*payload = PAYLOAD_NULL;
}

/* Return: 0, -EINVAL, or -ENOMEM; *@ret_dictionary is NULL when the encoding has none */
static int begin_decompression(int encoding, ZSTD_DCtx **ret_context,
			       const ZSTD_DDict **ret_dictionary)
{
	struct contexts *contexts = contexts_of_thread();

	if (encoding != PAYLOAD_ZSTD && encoding != PAYLOAD_ZSTD_DICTIONARY_1)
		return -EINVAL;
	if (contexts && !contexts->decompress)
		contexts->decompress = ZSTD_createDCtx();
	*ret_context = contexts ? contexts->decompress : NULL;
	*ret_dictionary = encoding == PAYLOAD_ZSTD_DICTIONARY_1 ? decompress_dictionary : NULL;
	return *ret_context && decompress_dictionary ? 0 : -ENOMEM;
}

int payload_decode(struct slice bytes, int encoding, char **ret_p, size_t *ret_n)
{
	unsigned long long size = ZSTD_getFrameContentSize(bytes.p, bytes.n);
	const ZSTD_DDict *dictionary;
	ZSTD_DCtx *context;
	size_t n;
	char *p;
	int r;

	r = begin_decompression(encoding, &context, &dictionary);
	if (r < 0)
		return r;
	if (size > PAYLOAD_MAX) /* the codes for "unknown" and "damaged" are larger still */
		return -EBADMSG;
	p = malloc((size_t)size + 1); /* never 0 bytes */
	if (!p)
		return -ENOMEM;
	n = ZSTD_decompress_usingDDict(context, p, (size_t)size, bytes.p, bytes.n, dictionary);
	if (ZSTD_isError(n) || n != size) {
		free(p);
		return -EBADMSG;
	}
	*ret_p = p;
	*ret_n = n;
	return 0;
}

int payload_body(struct payload *stored, struct slice *ret_body)
{
	size_t n;
	int r;

	if (stored->encoding == PAYLOAD_RAW) {
		*ret_body = stored->bytes;
		return 0;
	}
	r = payload_decode(stored->bytes, stored->encoding, &stored->memory, &n);
	if (r == 0)
		*ret_body = slice_make(stored->memory, n);
	return r == -EINVAL ? -EBADMSG : r;
}
