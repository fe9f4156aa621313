/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepared.h -- a file that was opened, prepared and mapped. No thread, no
 * lease: who calls this holds the lease while preparing.
 */
#ifndef PINREG_FILE_PREPARED_H
#define PINREG_FILE_PREPARED_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/prepare.h>

#include "file/tenure.h"
#include "plan/device.h"

/* O_NONBLOCK: another's lease must not make us wait for its break. */
#define PINREG_PREPARED_OPEN (O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

struct pinreg_prepared {
	struct pinreg_device *device;
	int dirfd;  /* our own, or AT_FDCWD where path is absolute */
	char *path; /* our own */
	int fd;
	bool created; /* by us, and nobody has seen it yet */
	bool dax;
	bool map_sync;
	bool tmpfs;
	bool allow_page_cache;
	unsigned int threads;		    /* for zeroing, at most; 0: one */
	pinreg_progress_function *progress; /* NULL once pinreg_prepared_keep() was called */
	void *progress_context;
	uint64_t st_dev;
	uint64_t inode;
	void *addr;	   /* NULL until it was mapped once; see file/range.h */
	uint64_t reserved; /* bytes there that are ours, whatever is mapped */
	bool mapped;	   /* the file is there now, or may be */
	uint64_t length;   /* to be mapped, bytes */
	uint64_t size;	   /* of the file, after the last preparation */
	uint64_t old_size; /* before it grew; UINT64_MAX: it did not */
	/*
	 * Who records the old flags does so before pinreg_prepared_reopen() and
	 * pinreg_prepared_prepare(): these change them.
	 */
	bool has_flags;			    /* the filesystem has such */
	struct pinreg_file_flags old_flags; /* before what was not kept */
	struct pinreg_file_flags flags;	    /* as they are */
	bool empty;			    /* there was no block when it was opened */
	bool hint;			    /* large extents are to be asked for */
	bool reopen;			    /* it is to become a DAX file */
	uint64_t zeroed;		    /* by the last preparation */
	uint64_t zeroed_offset;
	struct pinreg_file_report report; /* its blocks, by the last verification */
	struct pinreg_persist *persist;
};

/*
 * Open and look; nothing is changed but that a new file may come into being.
 * 0, or -errno with *why and nothing left.
 */
int pinreg_prepared_open(struct pinreg_prepared *file, struct pinreg_device *device, int dirfd,
			 const char *path, const struct pinreg_file_opts *opts,
			 struct pinreg_why *why);

/*
 * Make it a DAX file if it is none and can be: the flag takes effect when it is
 * opened again. Before the lease, which belongs to the open file. Nothing where
 * file->reopen is not set. 0, or -errno with *why; then it has to be closed.
 */
int pinreg_prepared_reopen(struct pinreg_prepared *file, struct pinreg_why *why);

/*
 * Allocate, zero what is a hole or unwritten, sync, verify, map where it is
 * not mapped. A file that was prepared before and whose size and block map are still
 * the same is only verified. ASSUMPTIONS: tenure is of the lease on file->fd; why is not NULL. 0,
 * or -errno with *why (PINREG_REASON_FILE_TAKEN: pinreg_tenure_check() said
 * so). What was done stays until pinreg_prepared_undo().
 */
int pinreg_prepared_prepare(struct pinreg_prepared *file, struct pinreg_tenure *tenure,
			    struct pinreg_why *why);

/*
 * Give a file that was grown its old size back, and its flags; not if it may be
 * another's by now. One that was created is removed by pinreg_prepared_close().
 */
void pinreg_prepared_undo(struct pinreg_prepared *file, struct pinreg_tenure *tenure);

/* What was prepared is to stay. */
void pinreg_prepared_keep(struct pinreg_prepared *file);

/* Does the path still lead here? 0, -ESTALE, -ENOENT: nowhere, or another -errno of looking. */
int pinreg_prepared_check_path(struct pinreg_prepared *file);

/*
 * See that ODP was tested on this filesystem: a scratch file beside this one.
 * Where a scratch file cannot be had, the device's own test has to do.
 */
void pinreg_prepared_test_odp(struct pinreg_prepared *file);

/* Unmap and close. A file that was created and never prepared is removed. */
void pinreg_prepared_close(struct pinreg_prepared *file);

#endif
