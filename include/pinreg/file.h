/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.h -- a prepared, leased file and the regions made on it.
 *
 * Preparing gives every byte of the file a written block that cannot move:
 * allocated, zeroed where it held no data (and only there), verified. The
 * write lease proves that nobody else has the file open. When somebody wants
 * it, the library fences the remote side, yields, comes back and registers
 * again; see event.h.
 */
#ifndef PINREG_FILE_H
#define PINREG_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/region.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct pinreg_file;

enum pinreg_file_state {
	PINREG_FILE_HELD = 1,	    /* leased; regions are live */
	PINREG_FILE_BREAKING = 2,   /* somebody waits; the owner may drain */
	PINREG_FILE_WAITING = 3,    /* fenced and yielded */
	PINREG_FILE_REVALIDATE = 4, /* leased again, being checked and prepared */
	PINREG_FILE_LOST = 5,	    /* will not come back */
	PINREG_FILE_SHARED = 6,	    /* sealed, not leased: readers have it too; regions are live */
};

/* What to do when the file came back shorter than it was. */
enum pinreg_shrink {
	PINREG_SHRINK_REGROW = 0,  /* to the old size; what was cut off reads zero */
	PINREG_SHRINK_GIVE_UP = 1, /* the file is lost */
	/*
	 * Serve what there is, in whole pages, and more again, up to the length at first,
	 * when it has grown. Of no whole page the file is lost. Regions that reach behind
	 * the end have no keys (-ESTALE) while it is so; its addresses stay the file's.
	 */
	PINREG_SHRINK_FOLLOW = 2,
};

/* What to do when the path leads to another file than the one that was opened. */
enum pinreg_replaced {
	PINREG_REPLACED_GIVE_UP = 0, /* on the next return the file is lost */
	/*
	 * Serve that one, at the same address. Noticed at once where the file is renamed,
	 * removed or renamed over, not where a directory above it is. It has to be on the
	 * same filesystem and in the same DAX state. While the path leads nowhere the
	 * file is away.
	 */
	PINREG_REPLACED_FOLLOW = 1,
};

/* What keeps others from changing a file while it is open here. */
enum pinreg_seal {
	PINREG_SEAL_DEFAULT = 0, /* PINREG_SEAL_LEASE */
	PINREG_SEAL_NONE = 1,	 /* nothing: its user knows that nobody does */
	PINREG_SEAL_LEASE = 2,	 /* who opens it waits until we have yielded */
	/* the lease, and the immutable flag: nobody can open it for writing at all */
	PINREG_SEAL_IMMUTABLE = 3,
};

/* What to do when somebody opens a sealed file for reading. */
enum pinreg_reader {
	PINREG_READER_FENCE = 0, /* as for a writer: he sees a file that nobody changes */
	/*
	 * Let him in at once, with an event ADMITTED. Peers go on, and he reads what they
	 * write when they write it. The flag keeps writers out; where root takes it off,
	 * the file is fenced as soon as somebody opens or cuts it, or within a second.
	 */
	PINREG_READER_ADMIT = 1,
};

/* NULL, or fields left 0, mean the defaults. */
struct pinreg_file_opts {
	size_t size;		       /* sizeof(struct pinreg_file_opts) */
	uint64_t length;	       /* bytes wanted, whole pages; grows the file, never
					  shrinks it; 0: the length it has */
	unsigned int create;	       /* 1: make the file if it is not there; needs length */
	unsigned int mode;	       /* for a new file; default 0600 */
	unsigned int allow_page_cache; /* 1: also files that are not in DAX state */
	enum pinreg_shrink on_shrink;
	enum pinreg_replaced on_replaced; /* FOLLOW needs a lease: not with PINREG_SEAL_NONE */
	enum pinreg_seal seal;
	enum pinreg_reader on_reader; /* ADMIT needs PINREG_SEAL_IMMUTABLE */
	unsigned int threads;	      /* for zeroing, at most; 0: one, see docs/performance.md */
	pinreg_progress_function *progress; /* of zeroing, or NULL; not 0: cancel */
	void *progress_context;
};

struct pinreg_file_info {
	size_t size; /* set by the caller */
	enum pinreg_file_state state;
	void *addr;	       /* where it is mapped, shared, for reading and writing */
	uint64_t length;       /* bytes served: fewer than at first with SHRINK_FOLLOW */
	uint64_t generation;   /* 1 at first, + 1 with every return */
	unsigned int dax;      /* 1: in DAX state */
	unsigned int map_sync; /* 1: mapped with MAP_SYNC: CPU flushes are enough */
	uint64_t zeroed;       /* bytes zeroed by the last preparation */
	uint64_t extents;      /* number of extents, by the last verification */
	uint64_t device;       /* st_dev */
	uint64_t inode;
};

/*
 * pinreg_file_open -- open, prove to be alone, prepare, verify, map, lease.
 *
 * dirfd, path: as openat(); the last component must not be a symbolic link.
 * why: NULL, or filled in on failure.
 * On failure the file has its old size and content, and a file that was made
 * by this call is removed again. What a process that died left is put right first,
 * see pinreg_file_recover(). What has to be undone if this one dies is recorded in
 * a file .pinreg-INODE beside it: so a file that is made, grown or sealed needs a
 * directory that we may read and write.
 * With PINREG_SEAL_IMMUTABLE the flag is taken off before somebody is let in, set
 * again on return, and taken off by pinreg_file_close(). PINREG_SEAL_NONE leases
 * the file while preparing only: afterwards there are no events.
 *
 * Return: 0, or
 *   -EINVAL  a NULL argument, an unknown option, length 0 of an empty file,
 *            a length that is not whole pages, not a regular file;
 *   -EISDIR  a directory; -ELOOP  a symbolic link;
 *   -EOPNOTSUPP  not in DAX state (and page cache was not allowed),
 *            overlayfs, or a filesystem without leases or FIEMAP;
 *   -EBUSY   somebody else has it open, or opened it meanwhile, or by its record
 *            it belongs to a process that is alive (its number in why->used), or
 *            there is no real-time signal left for a lease (NO_SIGNAL);
 *   -EPERM   no right to seal it, a standing seal, or a record not to be believed;
 *   -EBADMSG a damaged record;
 *   -EACCES  no right to open it, or to lease it (neither owner nor CAP_LEASE);
 *   -ENOSPC, -EDQUOT, -EFBIG  no room for length bytes;
 *   -EIO     the extents are not right after preparing (offset in why), or the
 *            device cannot be written;
 *   -ECANCELED  opts->progress said so;
 *   -ENOENT, -EROFS, -EMFILE, -ENOMEM and others of the system calls.
 * Ownership: the caller closes *out; the mapping belongs to the file.
 * Thread: any. Starts the threads of a domain with its first file.
 * Since: 0.1
 */
int pinreg_file_open(struct pinreg_domain *domain, int dirfd, const char *path,
		     const struct pinreg_file_opts *opts, struct pinreg_why *why,
		     struct pinreg_file **out);

/*
 * pinreg_file_register -- register a part of the file.
 *
 * offset: bytes from its start; length: bytes, 0 for all the rest.
 * opts, why: as for pinreg_region_register().
 * While the kernel registers a region, here or after a return, nobody can be let
 * in: that is one call. Where it takes too long, make several regions.
 * Return: as pinreg_region_register(), and -EAGAIN while the file is not held or
 * where it was broken before a shadow was filled, -ESTALE when it is lost,
 * -EINVAL for a part outside of what is served now.
 * Ownership: the caller deregisters *out before it closes the file.
 * Thread: any. Since: 0.1
 */
int pinreg_file_register(struct pinreg_file *file, uint64_t offset, uint64_t length,
			 const struct pinreg_region_opts *opts, struct pinreg_why *why,
			 struct pinreg_region **out);

/*
 * pinreg_file_ack -- after a BREAK: we have drained, fence now.
 *
 * generation: of that BREAK. An ack for another one does nothing: it is of a break
 * that is over.
 * Return: 0 (also where there is no break to answer), or -EINVAL for NULL.
 * Thread: any. Since: 0.1
 */
int pinreg_file_ack(struct pinreg_file *file, uint64_t generation);

/*
 * pinreg_file_query -- state, address, length, generation, what was prepared.
 * Return: 0, or -EINVAL. Thread: any. Since: 0.1
 */
int pinreg_file_query(struct pinreg_file *file, struct pinreg_file_info *out);

/*
 * pinreg_file_close -- unmap, release the lease, close. NULL does nothing.
 *
 * Events of the file that were not fetched are dropped, and a call of on_event
 * with one of them is waited for, but not in that call itself. The file keeps
 * its size and content.
 * Return: 0, or -EBUSY while regions are registered on it; the file then
 * stays as it was.
 * Thread: once, with no other call on the file under way. Since: 0.1
 */
int pinreg_file_close(struct pinreg_file *file);

/*
 * pinreg_file_state_name -- "held", "breaking", "waiting", "revalidate", "lost",
 * "shared".
 * Thread: any. Since: 0.1
 */
const char *pinreg_file_state_name(enum pinreg_file_state state);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
