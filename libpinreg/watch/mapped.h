/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapped.h -- files by the address of their mapping.
 */
#ifndef PINREG_WATCH_MAPPED_H
#define PINREG_WATCH_MAPPED_H

#include <stddef.h>
#include <stdint.h>

struct pinreg_file;

/* In the order of their addresses; mappings do not overlap. */
struct pinreg_mapped {
	struct pinreg_file **files;
	size_t count;
	size_t room;
};

/* See that count files find room; so adding one cannot fail. 0 or -ENOMEM. */
int pinreg_mapped_reserve(struct pinreg_mapped *mapped, size_t count);

/* ASSUMPTIONS: reserved; it is mapped, and its address stays while it is in here. */
void pinreg_mapped_add(struct pinreg_mapped *mapped, struct pinreg_file *file);

/* Take it out. Nothing where it is not in it. */
void pinreg_mapped_remove(struct pinreg_mapped *mapped, const struct pinreg_file *file);

/* The last file that begins in front of that address, or NULL. */
struct pinreg_file *pinreg_mapped_before(const struct pinreg_mapped *mapped, uint64_t addr);

/* ASSUMPTIONS: empty. */
void pinreg_mapped_destroy(struct pinreg_mapped *mapped);

#endif
