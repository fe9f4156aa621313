/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare.h -- what can be done with a file without a device: prepare, verify,
 * seal, unseal, recover.
 *
 * pinreg_file_open() does these on its way; here they are for tools that make
 * files ready beforehand, and for what a crash left behind.
 */
#ifndef PINREG_PREPARE_H
#define PINREG_PREPARE_H

#include <pinreg/file.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* What a file is, block by block, up to its end. Sizes in bytes. */
struct pinreg_file_report {
	size_t size; /* set by the caller */
	uint64_t file_size;
	uint64_t device;	   /* st_dev */
	uint64_t inode;		   /* st_ino */
	uint64_t inode_generation; /* tells an inode from a later one of that number; 0: unknown */
	unsigned int dax;	   /* 1: in DAX state */
	unsigned int immutable;	   /* 1: nobody may open it for writing */
	uint64_t extents;	   /* number of them, after merging neighbours */
	uint64_t block_map;	   /* a hash of where its blocks lie; another one: they moved */
	uint64_t huge;		   /* bytes that huge pages can map: aligned here and there */
	uint64_t zeroed;	   /* by pinreg_file_prepare(): bytes that held no data */
	uint64_t flaws;		   /* number of extents that are not as they must be */
	uint64_t holes;		   /* bytes without a block */
	uint64_t unwritten;	   /* bytes allocated and never written */
	uint64_t shared;	   /* bytes whose blocks other files have too */
	uint64_t other; /* bytes inline, encoded, encrypted, unaligned or not placed yet */
};

/* A part of a file that is not as it must be. */
struct pinreg_flaw {
	uint64_t offset;    /* bytes from the start of the file */
	uint64_t length;    /* bytes */
	unsigned int flags; /* FIEMAP_EXTENT_* of <linux/fiemap.h>; 0: a hole */
};

/* Called for each flaw, in the order of offsets. Not 0: do not look further. */
typedef int pinreg_flaw_function(void *context, const struct pinreg_flaw *flaw);

/* What pinreg_file_recover() found and did. */
enum pinreg_recovery {
	PINREG_RECOVERY_NOTHING = 0,  /* no record: nothing was under way */
	PINREG_RECOVERY_ALIVE = 1,    /* its owner lives: nothing was done */
	PINREG_RECOVERY_STANDING = 2, /* sealed on purpose, for nobody's lifetime: nothing done */
	PINREG_RECOVERY_UNDONE = 3,   /* a preparation was undone: size and flags as before */
	PINREG_RECOVERY_REMOVED = 4,  /* a file that was being made was removed */
	PINREG_RECOVERY_UNSEALED = 5, /* prepared and sealed by a dead owner: flags as before */
	PINREG_RECOVERY_CLEARED = 6,  /* only a record was left, of work that was done */
};

struct pinreg_recovery_report {
	size_t size; /* set by the caller */
	enum pinreg_recovery recovery;
	int64_t pid;	   /* of the owner; 0: a standing seal, or no record */
	uint64_t old_size; /* bytes, when recovery began */
	uint64_t new_size; /* bytes, now */
};

/*
 * pinreg_file_prepare -- make a file ready for registration, now and once.
 *
 * As pinreg_file_open() without mapping it and without keeping a lease: every
 * byte gets a written block of its own, which is then proven. opts->seal
 * PINREG_SEAL_IMMUTABLE leaves a standing seal, see pinreg_file_seal().
 * out: NULL, or filled in on success.
 * Return: 0, or as pinreg_file_open(); the file is then as before.
 * Thread: any; SIGIO and the break signal are blocked in it meanwhile. Since: 0.1
 */
int pinreg_file_prepare(int dirfd, const char *path, const struct pinreg_file_opts *opts,
			struct pinreg_why *why, struct pinreg_file_report *out);

/*
 * pinreg_file_verify -- look at a file's blocks; nothing is changed.
 *
 * flaw: NULL, or called for each flaw, with context.
 * Opening it for reading breaks another's lease like any open: an owner that is
 * alive (and said so in its record) is not disturbed, -EBUSY.
 * Return: 0 where it could be looked at: out->flaws tells whether it is good; or
 *   -EINVAL  a NULL argument, not a regular file; -ELOOP, -EISDIR as for open;
 *   -EBUSY   another process has it leased;
 *   -ECANCELED  flaw() said so; others of the system calls.
 * Thread: any. Since: 0.1
 */
int pinreg_file_verify(int dirfd, const char *path, pinreg_flaw_function *flaw, void *context,
		       struct pinreg_why *why, struct pinreg_file_report *out);

/*
 * pinreg_file_seal -- nobody opens a prepared file for writing any more.
 *
 * A standing seal: it belongs to no process and stays until
 * pinreg_file_unseal(). The flags from before are recorded beside the file.
 * Return: 0 (also where it had such a seal), or
 *   -EPERM   no CAP_LINUX_IMMUTABLE, or neither owner nor CAP_FOWNER;
 *   -EBUSY   somebody has it open; -EIO  it is not prepared (see why);
 *   -EOPNOTSUPP  a filesystem without that flag, or ext4 page cache, where a
 *            live mapping would die of SIGBUS; others of the system calls.
 * Thread: any, as pinreg_file_prepare(). Since: 0.1
 */
int pinreg_file_seal(int dirfd, const char *path, struct pinreg_why *why);

/*
 * pinreg_file_unseal -- take a standing seal off; the flags are as before it.
 *
 * Return: 0, or -ENOENT where there is no record of a seal (an immutable flag
 * without one is somebody else's), -EBUSY where its owner is alive, -EPERM,
 * others of the system calls. Thread: any. Since: 0.1
 */
int pinreg_file_unseal(int dirfd, const char *path, struct pinreg_why *why);

/*
 * pinreg_file_recover -- finish or undo what a dead owner left behind.
 *
 * A record is believed only if it belongs to root or to the caller, and to this
 * very inode. An owner counts as alive if its process (number, start time, boot)
 * is there, or if that cannot be known from here.
 * Return: 0 with what was done in *out, or -errno of a system call or of a record
 * that is not to be believed (-EPERM) or damaged (-EBADMSG); nothing was done then.
 * Thread: any. Since: 0.1
 */
int pinreg_file_recover(int dirfd, const char *path, struct pinreg_why *why,
			struct pinreg_recovery_report *out);

/*
 * pinreg_recovery_name -- "nothing", "alive", "standing", "undone", "removed",
 * "unsealed", "cleared". Thread: any. Since: 0.1
 */
const char *pinreg_recovery_name(enum pinreg_recovery recovery);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
