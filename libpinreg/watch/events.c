/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.c -- the queue between the watcher and the owner.
 */
#include "watch/events.h"

#include <errno.h>
#include <stdlib.h>

#define KEPT_OF_A_FILE 16

struct pinreg_event_node {
	struct pinreg_event_node *next;
	struct pinreg_event event;
};

int pinreg_events_init(struct pinreg_events *events, const struct pinreg_sys *sys)
{
	int fd = sys->event_open();
	if (fd < 0)
		return fd;
	*events = (struct pinreg_events){ .sys = sys, .fd = fd };
	events->last = &events->first;
	pthread_mutex_init(&events->lock, NULL);
	return 0;
}

/* under lock: take out the node that *link points to */
static struct pinreg_event_node *take(struct pinreg_events *events, struct pinreg_event_node **link)
{
	struct pinreg_event_node *node = *link;
	*link = node->next;
	if (!node->next)
		events->last = link;
	if (!events->first)
		events->sys->event_clear(events->fd);
	return node;
}

void pinreg_events_destroy(struct pinreg_events *events)
{
	while (events->first)
		free(take(events, &events->first));
	events->sys->file_close(events->fd);
	pthread_mutex_destroy(&events->lock);
}

/* under lock: make room for one more of a file; the number that went */
static unsigned int make_room(struct pinreg_events *events, const struct pinreg_file *file)
{
	struct pinreg_event_node **oldest = NULL;
	unsigned int count = 0;
	for (struct pinreg_event_node **link = &events->first; *link; link = &(*link)->next) {
		if ((*link)->event.file != file)
			continue;
		if (!oldest)
			oldest = link;
		count++;
	}
	if (count < KEPT_OF_A_FILE)
		return 0;
	struct pinreg_event_node *node = take(events, oldest);
	unsigned int missed = node->event.missed + 1;
	free(node);
	/* the next one of this file tells the owner */
	for (node = events->first; node; node = node->next) {
		if (node->event.file == file) {
			node->event.missed += missed;
			return 0;
		}
	}
	return missed;
}

void pinreg_events_push(struct pinreg_events *events, const struct pinreg_event *event)
{
	struct pinreg_event_node *node = calloc(1, sizeof(*node));
	pthread_mutex_lock(&events->lock);
	if (!node) {
		events->unstored++;
		pthread_mutex_unlock(&events->lock);
		return;
	}
	node->event = *event;
	node->event.missed = make_room(events, event->file) + events->unstored;
	events->unstored = 0;
	bool was_empty = !events->first;
	*events->last = node;
	events->last = &node->next;
	if (was_empty)
		events->sys->event_raise(events->fd);
	pthread_mutex_unlock(&events->lock);
}

int pinreg_events_pop(struct pinreg_events *events, struct pinreg_event *out)
{
	pthread_mutex_lock(&events->lock);
	struct pinreg_event_node *node = events->first ? take(events, &events->first) : NULL;
	pthread_mutex_unlock(&events->lock);
	if (!node)
		return -EAGAIN;
	*out = node->event;
	free(node);
	return 0;
}

void pinreg_events_drop(struct pinreg_events *events, const struct pinreg_file *file)
{
	pthread_mutex_lock(&events->lock);
	struct pinreg_event_node **link = &events->first;
	while (*link) {
		if ((*link)->event.file == file)
			free(take(events, link));
		else
			link = &(*link)->next;
	}
	pthread_mutex_unlock(&events->lock);
}

const char *pinreg_event_name(enum pinreg_event_type type)
{
	static const char *const words[] = { "?", "break", "fenced", "restored", "lost" };
	return type <= PINREG_EVENT_LOST ? words[type] : "?";
}
