/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agenda.h -- which file is to be worked on next, and until when there is none.
 *
 * A file is in one place at most, by what it needs: where somebody waits for it
 * to be let go (URGENT), where it may be taken back (CALM), where it was taken
 * back (RETURN), or under the time at which one of the first two will be due
 * (LATER). Each of them costs the same whatever the number of files; LATER is
 * a heap.
 */
#ifndef PINREG_WATCH_AGENDA_H
#define PINREG_WATCH_AGENDA_H

#include <stddef.h>
#include <stdint.h>

struct pinreg_file;

enum pinreg_turn {
	PINREG_TURN_NONE = 0,
	PINREG_TURN_URGENT, /* of the watcher, before all else */
	PINREG_TURN_CALM,   /* of the watcher */
	PINREG_TURN_RETURN, /* of the returner */
	PINREG_TURN_LATER,
};

/* Part of each file. */
struct pinreg_place {
	enum pinreg_turn turn;
	struct pinreg_file *next; /* in a queue */
	struct pinreg_file *previous;
	size_t at; /* in the heap */
};

struct pinreg_queue {
	struct pinreg_file *first;
	struct pinreg_file *last;
};

struct pinreg_agenda {
	struct pinreg_queue queues[PINREG_TURN_LATER]; /* by turn; first come, first served */
	struct pinreg_file **later;		       /* a heap: none is due before later[0] */
	size_t count;				       /* of later */
	size_t room;
};

/* See that count files find room; so nothing below can fail. 0 or -ENOMEM. */
int pinreg_agenda_reserve(struct pinreg_agenda *agenda, size_t count);

/*
 * Something about the file has changed: put it where it belongs now, or
 * nowhere. Its turn, which stays if it was that already.
 */
enum pinreg_turn pinreg_agenda_put(struct pinreg_agenda *agenda, struct pinreg_file *file);

/* The first of a queue, or NULL. */
struct pinreg_file *pinreg_agenda_first(const struct pinreg_agenda *agenda, enum pinreg_turn turn);

/* It is that late: what is due by now gets its turn. */
void pinreg_agenda_advance(struct pinreg_agenda *agenda, uint64_t now_ns);

/* When the watcher has something to do: 0 for now, UINT64_MAX for never. */
uint64_t pinreg_agenda_due(const struct pinreg_agenda *agenda);

/* ASSUMPTIONS: empty. */
void pinreg_agenda_destroy(struct pinreg_agenda *agenda);

#endif
