/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for libFuzzer in `make check`: gives the fuzzed function every file of the folders on
 * the command line, once. A finding ends the program, by a sanitizer or by an assertion.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"

#define INPUT_MAX (4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Return: 0, or a negative errno */
static int replay_file(const char *folder, const char *name)
{
	_cleanup_(freep)
	char *path = NULL;
	_cleanup_(freep)
	char *bytes = NULL;
	_cleanup_(freep)
	char *exact = NULL;
	size_t n;
	int r;

	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = fd_read_file(path, INPUT_MAX, &bytes, &n);
	if (r < 0) {
		(void)fprintf(stderr, "cannot read '%s': %s\n", path, error_name(r));
		return r;
	}
	/* a copy without room behind it, so that a sanitizer sees every step beyond the end */
	exact = malloc(n ? n : 1);
	if (!exact)
		return -ENOMEM;
	memcpy(exact, bytes, n);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)exact, n); /* always 0 */
	return 0;
}

static int is_file(const struct dirent *entry)
{
	return entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN;
}

/* Return: number of files, or a negative errno */
static int replay_folder(const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_file, alphasort), r = 0;

	if (n < 0) {
		r = -errno;
		(void)fprintf(stderr, "cannot open '%s': %s\n", folder, error_name(r));
		return r;
	}
	for (int i = 0; i < n; i++) {
		if (r == 0 && entries[i]->d_name[0] != '.')
			r = replay_file(folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? r : n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		int r = replay_folder(argv[i]);

		if (r < 0)
			return EXIT_FAILURE;
		n += r;
	}
	if (n == 0) {
		(void)fprintf(stderr, "nothing to replay; usage: %s FOLDER...\n", argv[0]);
		return EXIT_FAILURE;
	}
	/* the Test Anything Protocol, as the unit tests speak it */
	(void)printf("1..1\nok 1 - %d inputs\n", n);
	return EXIT_SUCCESS;
}
