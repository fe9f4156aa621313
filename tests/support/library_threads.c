/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_threads.c -- the threads of the library in this process.
 */
#include "support/library_threads.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "support/hooks.h"
#include "support/test.h"

#define MOMENT_MS 100
#define TRIES 200

static void count_thread(const char *id, struct library_threads *all)
{
	char path[300], line[256];
	bool ours = false;
	unsigned long count;
	snprintf(path, sizeof(path), "/proc/self/task/%s/status", id);
	FILE *status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status)) {
		ours |= !strncmp(line, "Name:\tpinreg", 12);
		if (ours && sscanf(line, "voluntary_ctxt_switches: %lu", &count) == 1)
			all->sleeps += count;
		all->asleep += ours && !strncmp(line, "State:\tS", 8);
	}
	all->count += ours;
	if (status)
		fclose(status);
}

struct library_threads library_threads_now(void)
{
	struct library_threads all = { 0 };
	DIR *directory = opendir("/proc/self/task");
	const struct dirent *entry;
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		count_thread(entry->d_name, &all);
	closedir(directory);
	return all;
}

struct library_threads library_threads_settle(void)
{
	struct library_threads now = library_threads_now();
	for (unsigned int i = 0; i < TRIES; i++) {
		struct library_threads before = now;
		hooks_nap(MOMENT_MS);
		now = library_threads_now();
		if (before.asleep == before.count && now.asleep == now.count &&
		    now.sleeps == before.sleeps)
			return now;
	}
	fail_msg("%u of the library's %u threads sleep", now.asleep, now.count);
	return now;
}
