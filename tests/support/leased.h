/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leased.h -- a new leased file on one of the guest's DAX filesystems, and one
 * region on all of it.
 */
#ifndef PINREG_TESTS_SUPPORT_LEASED_H
#define PINREG_TESTS_SUPPORT_LEASED_H

#include <pinreg/pinreg.h>

/* One of each kind. */
#define LEASED_MOUNTS 2
extern const char *const leased_mounts[LEASED_MOUNTS];

struct leased {
	char path[256];
	struct pinreg_file *file;
	struct pinreg_region *region; /* NULL before leased_register() */
	struct pinreg_file_info info;
	unsigned char *memory; /* the mapping of the file */
};

/* A path on the mount that nothing is at. */
void leased_path(char *path, size_t room, const char *mount);

/* On the domain of rdma.h. Like what registers, it fails the case with the reason. */
void leased_open(struct leased *leased, const char *mount, uint64_t length);
void leased_open_as(struct leased *leased, const char *mount, const struct pinreg_file_opts *opts);
void leased_register_shadow(struct leased *leased);

/* Or for whole pages: by paging, or with a shadow where the device has none. */
void leased_register_pages(struct leased *leased);

/* The first leaves the file there. */
void leased_close(struct leased *leased);
void leased_remove(struct leased *leased);

#endif
