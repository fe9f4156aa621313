/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_store.h -- the record of a file, kept beside it as .pinreg-INODE.
 *
 * In a file of its own because it must be read, replaced and removed while the
 * file itself is immutable.
 */
#ifndef PINREG_FILE_RECORD_STORE_H
#define PINREG_FILE_RECORD_STORE_H

#include "file/record.h"

struct pinreg_record_store {
	const struct pinreg_sys *sys;
	int dirfd;	/* the file's directory; -1: not open */
	char name[32];	/* of the record in it */
	char fresh[32]; /* of one that is being written */
};

/* Open the directory of path. 0 or -errno. It is closed by pinreg_store_close(). */
int pinreg_store_open(struct pinreg_record_store *store, const struct pinreg_sys *sys, int dirfd,
		      const char *path, uint64_t inode);
void pinreg_store_close(struct pinreg_record_store *store);

/*
 * Read the record of the file that was looked at. generation: 0 where it is not
 * known. 0; -ENOENT where there is none (no *why then); -EPERM with *why where
 * it is not to be believed, -EBADMSG where it is damaged; -ESTALE where it is of
 * an inode that had this number before and is gone (*out is filled in then);
 * or another -errno with *why.
 */
int pinreg_store_read(struct pinreg_record_store *store, const struct pinreg_file_look *file,
		      uint64_t generation, struct pinreg_record *out, struct pinreg_why *why);

/*
 * Put a record in place of what is there, so that after a crash or a power cut
 * there is the one or the other. It is durable when this returns 0; after -errno
 * either may be there. ASSUMPTIONS: nobody else writes, see guard.h.
 */
int pinreg_store_write(struct pinreg_record_store *store, const struct pinreg_record *record);

/* Remove the record, durably. 0 (also where there was none) or -errno. */
int pinreg_store_remove(struct pinreg_record_store *store);

#endif
