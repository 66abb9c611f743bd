/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log_journal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "core/clock.h"
#include "core/log_render.h"
#include "util/fd.h"
#include "util/units.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

#define MESSAGE_KEY "MESSAGE="

/* systemd tells the device and inode of its socket (systemd.exec(5)). Without the socket of the
 * native protocol, sd_journal_sendv() would drop everything and report success. */
bool log_journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	char *end;

	if (!stream || fstat(STDERR_FILENO, &st) < 0 || access(JOURNAL_SOCKET, W_OK) < 0)
		return false;
	device = strtoull(stream, &end, 10);
	if (*end != ':')
		return false;
	inode = strtoull(end + 1, &end, 10);
	return *end == '\0' && device == st.st_dev && inode == st.st_ino;
}

/* An entry of the journal on its way there: this, and behind it the fields' bytes */
struct entry {
	enum log_level level;
	uint32_t n_fields;
	uint32_t end[LOG_IDS_N + 2]; /* of each field */
};

static void end_field(struct entry *entry, const struct buf *fields)
{
	entry->end[entry->n_fields++] = (uint32_t)fields->n;
}

static void fill_entry(struct entry *entry, const struct log_ids *ids, const char *message,
		       struct buf *fields)
{
	buf_append_str(fields, MESSAGE_KEY);
	log_append_message(fields, message);
	log_append_ids(fields, ids);
	end_field(entry, fields);
	buf_printf(fields, "PRIORITY=%d", entry->level);
	end_field(entry, fields);
	for (size_t i = 0; ids && i < LOG_IDS_N; i++)
		if (log_append_id_field(fields, ids, i))
			end_field(entry, fields);
}

int log_journal_render(enum log_level level, const struct log_ids *ids, const char *message,
		       struct buf *out)
{
	struct buf fields = BUF_INIT(2 * LOG_LINE_MAX);
	struct entry entry = {.level = level};
	int r;

	fill_entry(&entry, ids, message, &fields);
	buf_append(out, (const char *)&entry, sizeof(entry));
	buf_append_slice(out, buf_slice(&fields));
	r = buf_error(&fields) < 0 ? buf_error(&fields) : buf_error(out);
	buf_deinit(&fields);
	return r;
}

/* Return: 0, or a negative errno */
static int send_entry(const struct entry *entry, const char *fields)
{
	struct iovec iov[ARRAY_SIZE(entry->end)];
	size_t start = 0;

	for (uint32_t i = 0; i < entry->n_fields; i++) {
		/* an iovec has no const; sd_journal_sendv() only reads */
		iov[i].iov_base = (void *)(uintptr_t)(fields + start);
		iov[i].iov_len = entry->end[i] - start;
		start = entry->end[i];
	}
	return sd_journal_sendv(iov, (int)entry->n_fields);
}

/* the journal does not take it */
static void print_entry(const struct entry *entry, const char *fields)
{
	struct buf line = BUF_INIT(2 * LOG_LINE_MAX);
	char when[TIME_TEXT_SIZE];
	int r;

	buf_printf(&line, "%s %s ", time_format(clock_now_us(), when),
		   log_level_text(entry->level));
	buf_append(&line, fields + strlen(MESSAGE_KEY), entry->end[0] - strlen(MESSAGE_KEY));
	buf_append_char(&line, '\n');
	r = buf_error(&line);
	if (r == 0)
		r = fd_write_all(STDERR_FILENO, line.p, line.n);
	(void)r; /* nobody can be told */
	buf_deinit(&line);
}

void log_journal_send(const char *records, size_t n)
{
	const char *end = records + n;

	while (records < end) {
		struct entry entry;

		memcpy(&entry, records, sizeof(entry));
		records += sizeof(entry);
		if (send_entry(&entry, records) < 0)
			print_entry(&entry, records);
		records += entry.end[entry.n_fields - 1];
	}
}
