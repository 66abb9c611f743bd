/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR    512
#define INODES    64
#define PER_MILLE 1000

/* which of the writes that were not synced are there */
enum luck {
	LUCK_NONE,    /* none: a disk with a large cache */
	LUCK_ALL,     /* all: kill -9 rather than a cut */
	LUCK_PREFIX,  /* those before a moment, the one at that moment torn */
	LUCK_WRITES,  /* each by chance */
	LUCK_SECTORS, /* each sector by chance */
	LUCKS
};

struct content {
	unsigned char *bytes;
	size_t n, capacity;
};

struct pending {
	size_t *records; /* indexes into the log */
	size_t n, capacity;
};

struct inode {
	struct content synced;
	struct pending pending; /* DISK_WRITE and DISK_TRUNCATE */
};

struct image {
	const struct disk_record *records;
	size_t n, cut;
	struct inode inodes[INODES];
	int names[DISK_NAMES]; /* inode on disk, -1: none */
	struct pending folder; /* DISK_CREATE and DISK_DELETE */
};

/* one way in which the disk treats the pending writes */
struct fate {
	struct dice *dice;
	enum luck luck;
	uint64_t chance; /* per mille */
	size_t moment;   /* of LUCK_PREFIX */
	bool has_rubbish;
};

/* ---- dice ---- */

struct dice dice_make(uint64_t seed)
{
	struct dice dice = {seed * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL};

	if (dice.state == 0)
		dice.state = 1;
	for (int i = 0; i < 8; i++)
		(void)dice_below(&dice, 2);
	return dice;
}

uint64_t dice_below(struct dice *dice, uint64_t n)
{
	uint64_t x = dice->state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	dice->state = x;
	return (x >> 11) % n;
}

/* ---- growing ---- */

static void *grow(void *p, size_t *capacity, size_t want, size_t size)
{
	if (want <= *capacity)
		return p;
	*capacity = MAX_OF(want, 2 * *capacity);
	p = realloc(p, *capacity * size);
	if (!p)
		abort();
	return p;
}

static void pend(struct pending *pending, size_t record)
{
	pending->records = grow(pending->records, &pending->capacity, pending->n + 1,
				sizeof(pending->records[0]));
	pending->records[pending->n++] = record;
}

/* what lies between the old end and the new one: zeros, or what was on the disk before */
static void resize(struct content *c, size_t n, const struct fate *fate)
{
	c->bytes = grow(c->bytes, &c->capacity, n, 1);
	for (size_t i = c->n; i < n; i++)
		c->bytes[i] =
			fate && fate->has_rubbish ? (unsigned char)dice_below(fate->dice, 256) : 0;
	c->n = n;
}

/* ---- records ---- */

static bool sector_is_there(const struct fate *fate)
{
	return !fate || dice_below(fate->dice, PER_MILLE) < fate->chance;
}

/* @fate: NULL: the write is there whole; otherwise torn by chance */
static void put(struct content *c, const struct disk_record *r, const struct fate *fate)
{
	size_t at = (size_t)r->offset, end = at + r->n;
	bool grows = end > c->n;

	/* the size may have arrived without the bytes */
	if (grows && (!fate || dice_below(fate->dice, 2)))
		resize(c, end, fate);
	while (at < end) {
		size_t border = MIN_OF((at / SECTOR + 1) * SECTOR, end);

		if (sector_is_there(fate)) {
			if (border > c->n)
				resize(c, border, fate);
			memcpy(c->bytes + at, r->bytes + (at - (size_t)r->offset), border - at);
		}
		at = border;
	}
}

static void apply(struct content *c, const struct disk_record *r, const struct fate *torn)
{
	if (r->event == DISK_WRITE)
		put(c, r, torn);
	else if (!torn || dice_below(torn->dice, 2))
		resize(c, (size_t)r->offset, torn);
}

static void sync_inode(struct image *image, struct inode *inode, size_t since)
{
	size_t kept = 0;

	for (size_t i = 0; i < inode->pending.n; i++) {
		size_t record = inode->pending.records[i];

		if (record < since)
			apply(&inode->synced, &image->records[record], NULL);
		else
			inode->pending.records[kept++] = record;
	}
	inode->pending.n = kept;
}

/* The bytes never come, though a later sync succeeds; the size is kept elsewhere. */
static void lose_writes(struct image *image, struct inode *inode, size_t since)
{
	size_t kept = 0;

	for (size_t i = 0; i < inode->pending.n; i++) {
		size_t record = inode->pending.records[i];
		const struct disk_record *r = &image->records[record];

		if (record >= since)
			inode->pending.records[kept++] = record;
		else if (r->event == DISK_TRUNCATE || (size_t)r->offset + r->n > inode->synced.n)
			resize(&inode->synced, (size_t)r->offset + r->n, NULL);
	}
	inode->pending.n = kept;
}

static int inode_after(const struct disk_record *r)
{
	return r->event == DISK_CREATE ? r->inode : -1;
}

static void sync_folder(struct image *image, size_t since)
{
	size_t kept = 0;

	for (size_t i = 0; i < image->folder.n; i++) {
		size_t record = image->folder.records[i];
		const struct disk_record *r = &image->records[record];

		if (record < since)
			image->names[r->name] = inode_after(r);
		else
			image->folder.records[kept++] = record;
	}
	image->folder.n = kept;
}

static void take_record(struct image *image, size_t i)
{
	const struct disk_record *r = &image->records[i];

	switch (r->event) {
	case DISK_CREATE:
		if (r->inode >= INODES)
			abort();
		/* fall through */
	case DISK_DELETE:
		pend(&image->folder, i);
		break;
	case DISK_WRITE:
	case DISK_TRUNCATE:
		pend(&image->inodes[r->inode].pending, i);
		break;
	case DISK_SYNC:
		sync_inode(image, &image->inodes[r->inode], r->since);
		break;
	case DISK_SYNC_FAILED:
		lose_writes(image, &image->inodes[r->inode], r->since);
		break;
	case DISK_SYNC_FOLDER:
		sync_folder(image, r->since);
		break;
	case DISK_NOTE:
		break;
	}
}

void image_advance(struct image *image, size_t cut)
{
	for (; image->cut < cut && image->cut < image->n; image->cut++)
		take_record(image, image->cut);
}

struct image *image_new(const struct disk_record *records, size_t n)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image)
		abort();
	image->records = records;
	image->n = n;
	for (int i = 0; i < DISK_NAMES; i++)
		image->names[i] = -1;
	return image;
}

void image_free(struct image *image)
{
	for (int i = 0; i < INODES; i++) {
		free(image->inodes[i].synced.bytes);
		free(image->inodes[i].pending.records);
	}
	free(image->folder.records);
	free(image);
}

/* ---- the cut ---- */

static struct content content_after(const struct image *image, const struct inode *inode,
				    const struct fate *fate)
{
	struct content c = {0};

	resize(&c, inode->synced.n, NULL);
	if (c.n)
		memcpy(c.bytes, inode->synced.bytes, c.n);
	for (size_t i = 0; i < inode->pending.n; i++) {
		size_t record = inode->pending.records[i];
		const struct disk_record *r = &image->records[record];
		bool is_at_moment = fate->luck == LUCK_PREFIX && record == fate->moment;

		if (fate->luck == LUCK_ALL ||
		    (fate->luck == LUCK_PREFIX && record < fate->moment) ||
		    (fate->luck == LUCK_WRITES && sector_is_there(fate)))
			apply(&c, r, NULL);
		else if (fate->luck == LUCK_SECTORS || is_at_moment)
			apply(&c, r, fate);
	}
	return c;
}

/* a name has one of the inodes that it has had since the folder was synced */
static int inode_of(const struct image *image, int name, const struct fate *fate)
{
	int inode = image->names[name];

	for (size_t i = 0; i < image->folder.n; i++) {
		size_t record = image->folder.records[i];
		const struct disk_record *r = &image->records[record];

		if (r->name != name || fate->luck == LUCK_NONE)
			continue;
		if (fate->luck == LUCK_PREFIX ? record > fate->moment
					      : fate->luck != LUCK_ALL && dice_below(fate->dice, 2))
			break; /* the folder's changes come in order, as far as they come */
		inode = inode_after(r);
	}
	return inode;
}

static void write_file(const char *path, const struct content *c)
{
	size_t done = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		abort();
	while (done < c->n) {
		ssize_t n = write(fd, c->bytes + done, c->n - done);

		if (n <= 0)
			abort();
		done += (size_t)n;
	}
	(void)close(fd);
}

/* the index of the WAL lives in shared memory: whatever is left of it must not be believed */
static void write_rubbish(const char *path, struct dice *dice)
{
	struct content c = {0};
	struct fate fate = {.dice = dice, .has_rubbish = true};

	resize(&c, 1 + dice_below(dice, 32768), &fate);
	write_file(path, &c);
	free(c.bytes);
}

void image_write(const struct image *image, struct dice *dice, const char *path)
{
	static const uint64_t chances[] = {50, 500, 950};
	struct fate fate = {
		.dice = dice,
		.luck = (enum luck)dice_below(dice, LUCKS),
		.chance = chances[dice_below(dice, ARRAY_SIZE(chances))],
		.moment = image->cut - MIN_OF(image->cut, dice_below(dice, 40)),
		.has_rubbish = dice_below(dice, 4) == 0,
	};
	char file[300];

	for (int i = 0; i < DISK_NAMES; i++) {
		int inode = inode_of(image, i, &fate);
		struct content c;

		(void)snprintf(file, sizeof(file), "%s%s", path, disk_suffixes[i]);
		(void)unlink(file); /* may not be there */
		if (inode < 0)
			continue;
		c = content_after(image, &image->inodes[inode], &fate);
		write_file(file, &c);
		free(c.bytes);
	}
	(void)snprintf(file, sizeof(file), "%s-shm", path);
	(void)unlink(file);
	if (dice_below(dice, 4) == 0)
		write_rubbish(file, dice);
}
