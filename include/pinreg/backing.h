/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backing.h -- what a range of virtual memory is.
 *
 * A range is cut into runs. Every run is one mapping (or one gap between
 * mappings) and has one kind. The kernel decides by the kind, not by the
 * address, whether memory may be pinned for long.
 *
 * Not everything is in the memory map: guard pages (MADV_GUARD_INSTALL) and
 * poisoned pages are part of the run around them.
 */
#ifndef PINREG_BACKING_H
#define PINREG_BACKING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * The n-th parameter is looked at as an address, never through: so a compiler
 * need not warn of memory that holds nothing yet.
 */
#ifdef __has_attribute
#if __has_attribute(access)
#define PINREG_ONLY_ADDRESS(n) __attribute__((access(none, n)))
#endif
#endif
#ifndef PINREG_ONLY_ADDRESS
#define PINREG_ONLY_ADDRESS(n)
#endif

/* What the memory behind a run is. Values are stable; new ones come last. */
enum pinreg_kind {
	PINREG_KIND_NONE = 0,	      /* of a reason: no kind was looked at; never of a run */
	PINREG_KIND_ANON = 1,	      /* private anonymous memory, heap, stack, variables */
	PINREG_KIND_SHMEM = 2,	      /* memfd, tmpfs, System V, shared anonymous */
	PINREG_KIND_HUGETLB = 3,      /* reserved huge pages */
	PINREG_KIND_PAGECACHE = 4,    /* shared mapping of a file in the page cache */
	PINREG_KIND_FSDAX = 5,	      /* shared mapping of a file in DAX state */
	PINREG_KIND_DEVDAX = 6,	      /* a /dev/dax device */
	PINREG_KIND_PRIVATE_FILE = 7, /* MAP_PRIVATE of any file */
	PINREG_KIND_SPECIAL = 8,      /* of devices and of the kernel, vdso, secretmem */
	PINREG_KIND_UNKNOWN_FILE = 9, /* shared mapping of a file that could not be looked at */
	PINREG_KIND_HOLE = 10,	      /* nothing is mapped here */
};

#define PINREG_PROT_READ 1u
#define PINREG_PROT_WRITE 2u

#define PINREG_RUN_SHARED 1u	  /* stores are seen by other mappings */
#define PINREG_RUN_PRIVATE_DAX 2u /* a private mapping of a file in DAX state */
#define PINREG_RUN_NO_SIZE 4u	  /* there is a file, but its size could not be found out */

/*
 * One run of a range. Addresses, lengths and sizes are in bytes.
 * file_size is that at the time of the query, of a dax device its size, and 0
 * where there is no file or its size is not known.
 */
struct pinreg_run {
	size_t size; /* sizeof(struct pinreg_run), set by the caller */
	uint64_t addr;
	uint64_t length;
	enum pinreg_kind kind;
	unsigned int prot;	/* PINREG_PROT_* */
	unsigned int flags;	/* PINREG_RUN_* */
	unsigned int page_size; /* of the mapping; 0 for a hole */
	uint64_t file_offset;
	uint64_t file_size;
	uint64_t inode;
	unsigned int dev_major;
	unsigned int dev_minor;
};

struct pinreg_backing;

/*
 * pinreg_backing_query -- look at what [addr, addr + length) is.
 *
 * addr, length: the range in bytes; it need not be mapped or aligned.
 * out: the answer, runs in ascending order that cover the range exactly.
 *
 * Return: 0, or
 *   -EINVAL  out is NULL, length is 0, or the range wraps;
 *   -ENOMEM  no memory for the answer;
 *   another -errno of reading the process's memory map (-EMFILE, -EACCES,
 *   -ENOENT where /proc is not mounted).
 * Ownership: the caller frees *out with pinreg_backing_free().
 * Thread: any. The answer is a snapshot: another thread may unmap at once.
 * Since: 0.1
 */
int pinreg_backing_query(const void *addr, size_t length, struct pinreg_backing **out)
	PINREG_ONLY_ADDRESS(1);

/*
 * pinreg_backing_count -- the number of runs.
 * Return: the number, at least 1; 0 for NULL. Thread: any. Since: 0.1
 */
size_t pinreg_backing_count(const struct pinreg_backing *backing);

/*
 * pinreg_backing_get -- copy out the run with the given index.
 *
 * out: set out->size before the call; as many bytes are written.
 * Return: 0, or -EINVAL for a NULL argument, an index past the end, or a
 * size this version does not know. Thread: any. Since: 0.1
 */
int pinreg_backing_get(const struct pinreg_backing *backing, size_t index, struct pinreg_run *out);

/*
 * pinreg_backing_free -- give the answer back. NULL does nothing.
 * Thread: any, once. Since: 0.1
 */
void pinreg_backing_free(struct pinreg_backing *backing);

/*
 * pinreg_kind_name -- the kind in a word, e.g. "fsdax".
 * Return: a constant string; "?" for a value that is not a kind.
 * Thread: any. Since: 0.1
 */
const char *pinreg_kind_name(enum pinreg_kind kind);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
