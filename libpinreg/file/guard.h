/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h -- the record and the seal of a file that we have open.
 *
 * The order is the point: lease, record, change; lease, record, flag. Back: flag,
 * lease, record. So there is no moment at which a change stands that no record
 * tells of, and nobody is let in while the file is sealed, but readers where the owner
 * wants it so. All but _open(), _reopen(), _holds() and _close() are called with the lease
 * held, or while only readers can have the file.
 */
#ifndef PINREG_FILE_GUARD_H
#define PINREG_FILE_GUARD_H

#include "file/prepared.h"
#include "file/record_store.h"

struct pinreg_guard {
	struct pinreg_record_store store;
	enum pinreg_seal seal; /* not DEFAULT */
	bool standing;	       /* the seal is to outlive us */
	bool cache;	       /* page cache can be sealed there */
	bool recorded;	       /* there may be a record */
	bool sealed;	       /* the flag may be set, by us */
	struct pinreg_record record;
};

/*
 * Nothing is changed. 0, or -errno with *why, where it is known already that it
 * cannot be sealed as wanted.
 */
int pinreg_guard_open(struct pinreg_guard *guard, const struct pinreg_prepared *file,
		      enum pinreg_seal seal, struct pinreg_why *why);

/*
 * pinreg_prepared_reopen(), recorded before. Before the lease. 0, or -errno with
 * *why; then it has to be closed.
 */
int pinreg_guard_reopen(struct pinreg_guard *guard, struct pinreg_prepared *file,
			struct pinreg_why *why);

/* Before pinreg_prepared_prepare(): record what it may change. 0, or -errno with *why. */
int pinreg_guard_begin(struct pinreg_guard *guard, const struct pinreg_prepared *file,
		       struct pinreg_why *why);

/*
 * Preparing has ended, and what it did stays: from now on nothing but a seal is
 * to be undone. Before anybody else is let in. 0, or -errno with *why.
 */
int pinreg_guard_settle(struct pinreg_guard *guard, const struct pinreg_prepared *file,
			struct pinreg_why *why);

/* Seal it, if that was asked for. ASSUMPTIONS: settled. 0, or -errno with *why. */
int pinreg_guard_seal(struct pinreg_guard *guard, const struct pinreg_prepared *file,
		      struct pinreg_why *why);

/* Does the seal keep writers out still? Root may have taken it off. */
bool pinreg_guard_holds(const struct pinreg_guard *guard, const struct pinreg_prepared *file);

/* Somebody is to be let in: take the seal off. The record stays. 0 or -errno. */
int pinreg_guard_unseal(struct pinreg_guard *guard, const struct pinreg_prepared *file);

/* The same for good: durably, so that the record can go. */
void pinreg_guard_end(struct pinreg_guard *guard, const struct pinreg_prepared *file);

/*
 * Remove the record, unless it is of a seal that stands. ASSUMPTIONS: unsealed, and what it tells
 * of was undone or is to stay. After a failure pinreg_recover() does it: its owner will be dead.
 */
void pinreg_guard_close(struct pinreg_guard *guard);

#endif
