/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner.h -- which process a record belongs to, and whether it is alive.
 */
#ifndef PINREG_FILE_OWNER_H
#define PINREG_FILE_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include <pinreg/reason.h>

#include "sys/sys.h"

/* A process for good: its number alone is given to another one some day. */
struct pinreg_owner {
	int64_t pid;	/* 0: nobody, of a standing seal */
	uint64_t start; /* clock ticks after the boot */
	uint64_t space; /* inode of the namespace that pid is of */
	char boot[PINREG_BOOT_ID];
};

/* The calling process. 0 or -errno; without /proc it cannot be said. */
int pinreg_owner_self(const struct pinreg_sys *sys, struct pinreg_owner *out);

/*
 * Is it there? Where that cannot be known, as of another PID namespace, the
 * answer is true: what a living one has must not be taken from it.
 */
bool pinreg_owner_alive(const struct pinreg_sys *sys, const struct pinreg_owner *owner);

/* Say that it is alive: -EBUSY with *why. */
int pinreg_owner_refuse(const struct pinreg_owner *owner, struct pinreg_why *why);

#endif
