/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * progress.c -- how far slow work is, on stderr.
 */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "size.h"

#define SECOND UINT64_C(1000000000)
#define BAR_WIDTH 40

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

void progress_begin(struct progress *progress, const char *what)
{
	*progress = (struct progress){ .what = what, .next_ns = now_ns() + SECOND };
}

static void draw_bar(struct progress *progress, uint64_t done, uint64_t total)
{
	static const char full[] = "########################################";
	int width = (int)((double)done / (double)total * BAR_WIDTH);

	progress->bar = true;
	fprintf(stderr, "\r%-10s [%-*.*s] %3d%% of %s", progress->what, BAR_WIDTH, width, full,
		(int)((double)done / (double)total * 100), size_write(total).text);
}

int progress_show(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	bool terminal = isatty(STDERR_FILENO);
	uint64_t now = now_ns();

	if (now < progress->next_ns || !total || done > total)
		return 0;
	/* a bar moves; lines in a log should be few */
	progress->next_ns = now + (terminal ? SECOND / 10 : 5 * SECOND);
	if (terminal)
		draw_bar(progress, done, total);
	else
		fprintf(stderr, "%s: %d%% of %s\n", progress->what,
			(int)((double)done / (double)total * 100), size_write(total).text);
	return 0;
}

void progress_end(struct progress *progress)
{
	if (progress->bar)
		fputs("\r\033[K", stderr);
	progress->bar = false;
}
