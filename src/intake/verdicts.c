/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/verdicts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/thread.h"
#include "util/units.h"

#define BUCKETS 512 /* a power of two */
#define WAYS    8

/* A request that waited for its verdict asks with the time at which it began. */
#define WAIT_MAX_US (60 * US_PER_S)

struct entry {
	struct sha256 digest;
	int64_t from_us;
	int64_t until_us; /* 0: free */
	enum token_verdict verdict;
};

struct verdicts {
	/* shared, under mx */
	pthread_mutex_t mx;
	struct entry entries[BUCKETS][WAYS];
};

int verdicts_new(struct verdicts **ret)
{
	struct verdicts *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	(void)pthread_mutex_init(&v->mx, NULL); /* cannot fail with default attributes on Linux */
	*ret = v;
	return 0;
}

void verdicts_free(struct verdicts *v)
{
	if (!v)
		return;
	pthread_mutex_destroy(&v->mx);
	free(v);
}

/* the digest is keyed, so nobody outside can fill one bucket on purpose */
static struct entry *bucket_of(struct verdicts *v, const struct sha256 *digest)
{
	return v->entries[(digest->bytes[0] | digest->bytes[1] << 8) & (BUCKETS - 1)];
}

/* the entry of this digest, or the one that can best be spared */
static struct entry *choose(struct entry *bucket, const struct sha256 *digest)
{
	struct entry *spare = &bucket[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (bucket[i].until_us && sha256_eq(&bucket[i].digest, digest))
			return &bucket[i];
		if (bucket[i].until_us < spare->until_us)
			spare = &bucket[i];
	}
	return spare;
}

void verdicts_remember(struct verdicts *v, const struct sha256 *digest, enum token_verdict verdict,
		       int64_t now_us, int64_t until_us)
{
	mutex_lock(&v->mx);
	*choose(bucket_of(v, digest), digest) =
		(struct entry){*digest, now_us - WAIT_MAX_US, until_us, verdict};
	mutex_unlock(&v->mx);
}

bool verdicts_recall(struct verdicts *v, const struct sha256 *digest, int64_t now_us,
		     enum token_verdict *ret)
{
	const struct entry *bucket;
	bool found = false;

	mutex_lock(&v->mx);
	bucket = bucket_of(v, digest);
	for (size_t i = 0; i < WAYS && !found; i++) {
		found = now_us >= bucket[i].from_us && now_us < bucket[i].until_us &&
			sha256_eq(&bucket[i].digest, digest);
		if (found)
			*ret = bucket[i].verdict;
	}
	mutex_unlock(&v->mx);
	return found;
}
