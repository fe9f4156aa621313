/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.c -- the queue between the watcher and the owner.
 */
#include "watch/events.h"

#include <errno.h>
#include <stdlib.h>

#include "watch/watch.h"

#define KEPT_OF_A_FILE 16

/* In two lists: of all, and of its line. Who is first of all is first of its line. */
struct pinreg_event_node {
	struct pinreg_event_node *next;
	struct pinreg_event_node *previous;
	struct pinreg_event_node *next_of_line;
	struct pinreg_event event;
};

int pinreg_events_init(struct pinreg_events *events, const struct pinreg_sys *sys, bool with_fd)
{
	int fd = with_fd ? sys->event_open() : -1;
	if (with_fd && fd < 0)
		return fd;
	*events = (struct pinreg_events){ .sys = sys, .fd = fd };
	pthread_mutex_init(&events->lock, NULL);
	pthread_cond_init(&events->changed, NULL);
	return 0;
}

static struct pinreg_event_line *line_of(struct pinreg_events *events, struct pinreg_file *file)
{
	return file ? &file->events : &events->others;
}

/* under lock: take out the first of a line, which has one */
static struct pinreg_event_node *take(struct pinreg_events *events, struct pinreg_event_line *line)
{
	struct pinreg_event_node *node = line->first;
	line->first = node->next_of_line;
	line->count--;
	if (node->previous)
		node->previous->next = node->next;
	else
		events->first = node->next;
	if (node->next)
		node->next->previous = node->previous;
	else
		events->last = node->previous;
	if (!events->first && events->fd >= 0)
		events->sys->event_clear(events->fd);
	return node;
}

static struct pinreg_event_node *take_oldest(struct pinreg_events *events)
{
	return events->first ? take(events, line_of(events, events->first->event.file)) : NULL;
}

static void append(struct pinreg_events *events, struct pinreg_event_line *line,
		   struct pinreg_event_node *node)
{
	node->previous = events->last;
	if (events->last)
		events->last->next = node;
	else
		events->first = node;
	events->last = node;
	if (line->count)
		line->last->next_of_line = node;
	else
		line->first = node;
	line->last = node;
	line->count++;
}

void pinreg_events_destroy(struct pinreg_events *events)
{
	while (events->first)
		free(take_oldest(events));
	if (events->fd >= 0)
		events->sys->file_close(events->fd);
	pthread_cond_destroy(&events->changed);
	pthread_mutex_destroy(&events->lock);
}

/* under lock: make room for one more; the next one of the line tells the owner */
static void make_room(struct pinreg_events *events, struct pinreg_event_line *line)
{
	if (line->count < KEPT_OF_A_FILE)
		return;
	struct pinreg_event_node *node = take(events, line);
	line->first->event.missed += node->event.missed + 1;
	free(node);
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
	struct pinreg_event_line *line = line_of(events, event->file);
	make_room(events, line);
	node->event = *event;
	node->event.missed = events->unstored;
	events->unstored = 0;
	if (!events->first && events->fd >= 0)
		events->sys->event_raise(events->fd);
	append(events, line, node);
	if (events->fd < 0)
		pthread_cond_broadcast(&events->changed);
	pthread_mutex_unlock(&events->lock);
}

int pinreg_events_pop(struct pinreg_events *events, struct pinreg_event *out)
{
	pthread_mutex_lock(&events->lock);
	struct pinreg_event_node *node = take_oldest(events);
	pthread_mutex_unlock(&events->lock);
	if (!node)
		return -EAGAIN;
	*out = node->event;
	free(node);
	return 0;
}

int pinreg_events_wait(struct pinreg_events *events, struct pinreg_event *out)
{
	struct pinreg_event_node *node = NULL;
	pthread_mutex_lock(&events->lock);
	while (!events->first && !events->ending)
		pthread_cond_wait(&events->changed, &events->lock);
	if (!events->ending) {
		node = take_oldest(events);
		events->called = line_of(events, node->event.file);
		*out = node->event;
	}
	pthread_mutex_unlock(&events->lock);
	free(node);
	return node ? 0 : -ECANCELED;
}

void pinreg_events_called(struct pinreg_events *events)
{
	pthread_mutex_lock(&events->lock);
	events->called = NULL;
	pthread_cond_broadcast(&events->changed);
	pthread_mutex_unlock(&events->lock);
}

void pinreg_events_end(struct pinreg_events *events)
{
	pthread_mutex_lock(&events->lock);
	events->ending = true;
	pthread_cond_broadcast(&events->changed);
	pthread_mutex_unlock(&events->lock);
}

void pinreg_events_drop(struct pinreg_events *events, struct pinreg_file *file, bool inside)
{
	struct pinreg_event_line *line = line_of(events, file);
	pthread_mutex_lock(&events->lock);
	while (line->count)
		free(take(events, line));
	while (events->called == line && !inside)
		pthread_cond_wait(&events->changed, &events->lock);
	pthread_mutex_unlock(&events->lock);
}

static const char *word(const char *const *words, size_t count, size_t number)
{
	return number && number < count ? words[number] : "?";
}

const char *pinreg_event_name(enum pinreg_event_type type)
{
	static const char *const words[] = { "?",    "break",	   "fenced", "restored",
					     "lost", "lease-lost", "device", "admitted" };
	return word(words, sizeof(words) / sizeof(words[0]), type);
}

const char *pinreg_device_event_name(enum pinreg_device_event event)
{
	static const char *const words[] = { "?", "port-down", "port-up", "fatal", "removed" };
	return word(words, sizeof(words) / sizeof(words[0]), event);
}
