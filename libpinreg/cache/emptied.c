/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emptied.c -- memory that a thread is about to empty.
 */
#include "cache/emptied.h"

#include <string.h>

void pinreg_emptied_open(struct pinreg_emptied *emptied)
{
	memset(emptied, 0, sizeof(*emptied));
	pthread_mutex_init(&emptied->lock, NULL);
}

void pinreg_emptied_close(struct pinreg_emptied *emptied)
{
	pthread_mutex_destroy(&emptied->lock);
}

void pinreg_emptied_add(struct pinreg_emptied *emptied, uint64_t start, uint64_t end,
			uint64_t now_ns)
{
	pthread_mutex_lock(&emptied->lock);
	unsigned int place = emptied->next;
	emptied->next = (place + 1) % PINREG_EMPTIED_ROOM;
	if (emptied->ranges[place].until_ns > now_ns)
		emptied->all_until_ns = emptied->ranges[place].until_ns;
	emptied->ranges[place].start = start;
	emptied->ranges[place].end = end;
	emptied->ranges[place].until_ns = now_ns + PINREG_EMPTIED_NS;
	pthread_mutex_unlock(&emptied->lock);
}

bool pinreg_emptied_touches(struct pinreg_emptied *emptied, uint64_t start, uint64_t end,
			    uint64_t now_ns)
{
	pthread_mutex_lock(&emptied->lock);
	bool touches = emptied->all_until_ns > now_ns;
	for (unsigned int i = 0; !touches && i < PINREG_EMPTIED_ROOM; i++)
		touches = emptied->ranges[i].until_ns > now_ns && emptied->ranges[i].start < end &&
			  start < emptied->ranges[i].end;
	pthread_mutex_unlock(&emptied->lock);
	return touches;
}
