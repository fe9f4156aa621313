/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agenda.c -- which file is to be worked on next.
 */
#include "watch/agenda.h"

#include <stdlib.h>

#include "base/array.h"
#include "watch/watch.h"

/* What somebody waits for comes first: to be let in, before to have it back. */
static enum pinreg_turn turn_when_due(const struct pinreg_file *file)
{
	return file->state == PINREG_FILE_BREAKING ? PINREG_TURN_URGENT : PINREG_TURN_CALM;
}

/* Where the file belongs as it is. */
static enum pinreg_turn turn_of(struct pinreg_file *file)
{
	if (file->busy || file->closing)
		return PINREG_TURN_NONE;
	switch (file->state) {
	case PINREG_FILE_HELD:
		if (file->broken)
			return PINREG_TURN_URGENT;
		return file->nudged ? PINREG_TURN_CALM : PINREG_TURN_NONE;
	case PINREG_FILE_BREAKING:
		/* the owner's word is enough where nobody is inside; else they have his time */
		return file->acked && pinreg_set_is_quiet(&file->regions) ? PINREG_TURN_URGENT
									  : PINREG_TURN_LATER;
	case PINREG_FILE_WAITING:
	case PINREG_FILE_SHARED:
		return file->nudged ? PINREG_TURN_CALM : PINREG_TURN_LATER;
	case PINREG_FILE_REVALIDATE:
		return PINREG_TURN_RETURN;
	default:
		return PINREG_TURN_NONE;
	}
}

/* ---- the queues ---- */

static void append(struct pinreg_agenda *agenda, struct pinreg_file *file, enum pinreg_turn turn)
{
	struct pinreg_queue *queue = &agenda->queues[turn];
	file->place = (struct pinreg_place){ .turn = turn, .previous = queue->last };
	if (queue->last)
		queue->last->place.next = file;
	else
		queue->first = file;
	queue->last = file;
}

static void take_from_queue(struct pinreg_agenda *agenda, struct pinreg_file *file)
{
	struct pinreg_place *place = &file->place;
	struct pinreg_queue *queue = &agenda->queues[place->turn];
	if (place->next)
		place->next->place.previous = place->previous;
	else
		queue->last = place->previous;
	if (place->previous)
		place->previous->place.next = place->next;
	else
		queue->first = place->next;
}

/* ---- the heap: who is at i is due before those at 2i + 1 and 2i + 2 ---- */

static void set(struct pinreg_agenda *agenda, size_t at, struct pinreg_file *file)
{
	agenda->later[at] = file;
	file->place.at = at;
}

static void move_up(struct pinreg_agenda *agenda, size_t at)
{
	struct pinreg_file *file = agenda->later[at];
	while (at && file->due_ns < agenda->later[(at - 1) / 2]->due_ns) {
		set(agenda, at, agenda->later[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	set(agenda, at, file);
}

static void move_down(struct pinreg_agenda *agenda, size_t at)
{
	struct pinreg_file *file = agenda->later[at];
	for (;;) {
		size_t child = 2 * at + 1;
		if (child + 1 < agenda->count &&
		    agenda->later[child + 1]->due_ns < agenda->later[child]->due_ns)
			child++;
		if (child >= agenda->count || file->due_ns <= agenda->later[child]->due_ns)
			break;
		set(agenda, at, agenda->later[child]);
		at = child;
	}
	set(agenda, at, file);
}

static void put_into_heap(struct pinreg_agenda *agenda, struct pinreg_file *file)
{
	file->place = (struct pinreg_place){ .turn = PINREG_TURN_LATER };
	set(agenda, agenda->count++, file);
	move_up(agenda, file->place.at);
}

static void take_from_heap(struct pinreg_agenda *agenda, struct pinreg_file *file)
{
	size_t at = file->place.at;
	struct pinreg_file *last = agenda->later[--agenda->count];
	if (last == file)
		return;
	set(agenda, at, last);
	move_up(agenda, at);
	move_down(agenda, last->place.at);
}

/* ---- */

static void take_out(struct pinreg_agenda *agenda, struct pinreg_file *file)
{
	if (file->place.turn == PINREG_TURN_LATER)
		take_from_heap(agenda, file);
	else if (file->place.turn != PINREG_TURN_NONE)
		take_from_queue(agenda, file);
	file->place.turn = PINREG_TURN_NONE;
}

int pinreg_agenda_reserve(struct pinreg_agenda *agenda, size_t count)
{
	return pinreg_array_reserve(&agenda->later, &agenda->room, count);
}

enum pinreg_turn pinreg_agenda_put(struct pinreg_agenda *agenda, struct pinreg_file *file)
{
	enum pinreg_turn turn = turn_of(file);
	/* its time may be another one now; but who stands in a queue keeps his place */
	if (turn == file->place.turn && turn != PINREG_TURN_LATER)
		return turn;
	take_out(agenda, file);
	if (turn == PINREG_TURN_LATER)
		put_into_heap(agenda, file);
	else if (turn != PINREG_TURN_NONE)
		append(agenda, file, turn);
	return turn;
}

struct pinreg_file *pinreg_agenda_first(const struct pinreg_agenda *agenda, enum pinreg_turn turn)
{
	return agenda->queues[turn].first;
}

void pinreg_agenda_advance(struct pinreg_agenda *agenda, uint64_t now_ns)
{
	while (agenda->count && agenda->later[0]->due_ns <= now_ns) {
		struct pinreg_file *file = agenda->later[0];
		take_from_heap(agenda, file);
		append(agenda, file, turn_when_due(file));
	}
}

uint64_t pinreg_agenda_due(const struct pinreg_agenda *agenda)
{
	if (pinreg_agenda_first(agenda, PINREG_TURN_URGENT) ||
	    pinreg_agenda_first(agenda, PINREG_TURN_CALM))
		return 0;
	return agenda->count ? agenda->later[0]->due_ns : UINT64_MAX;
}

void pinreg_agenda_destroy(struct pinreg_agenda *agenda)
{
	free(agenda->later);
	*agenda = (struct pinreg_agenda){ 0 };
}
