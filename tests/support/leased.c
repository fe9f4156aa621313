/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leased.c -- a new leased file on one of the guest's DAX filesystems.
 */
#include "support/leased.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "support/rdma.h"
#include "support/test.h"

const char *const leased_mounts[LEASED_MOUNTS] = { "/pmem/ext4", "/pmem/xfs" };

void leased_path(char *path, size_t room, const char *mount)
{
	snprintf(path, room, "%s/file-%d", mount, getpid());
	unlink(path);
}

void leased_open(struct leased *leased, const char *mount, uint64_t length)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = length, .create = 1 };
	leased_open_as(leased, mount, &opts);
}

void leased_open_as(struct leased *leased, const char *mount, const struct pinreg_file_opts *opts)
{
	struct pinreg_why why;
	leased_path(leased->path, sizeof(leased->path), mount);
	leased->region = NULL;
	int status = pinreg_file_open(rdma_domain(NULL), AT_FDCWD, leased->path, opts, &why,
				      &leased->file);
	if (status)
		fail_msg("%s: %s", mount, rdma_sentence(&why));
	leased->info.size = sizeof(leased->info);
	test_ok(pinreg_file_query(leased->file, &leased->info));
	leased->memory = leased->info.addr;
}

/* All of it. */
static void register_as(struct leased *leased, const struct pinreg_region_opts *opts,
			struct pinreg_why *why)
{
	int status = pinreg_file_register(leased->file, 0, 0, opts, why, &leased->region);
	if (status)
		fail_msg("%s: %s", leased->path, rdma_sentence(why));
}

void leased_register_shadow(struct leased *leased)
{
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	struct pinreg_why why;
	register_as(leased, &opts, &why);
}

void leased_register_pages(struct leased *leased)
{
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_why why;
	register_as(leased, &opts, &why);
	assert_int_equal(why.reason,
			 rdma_has_odp() ? PINREG_REASON_ODP_FSDAX : PINREG_REASON_STAGED_NO_ODP);
}

void leased_close(struct leased *leased)
{
	test_ok(pinreg_region_deregister(leased->region));
	test_ok(pinreg_file_close(leased->file));
}

void leased_remove(struct leased *leased)
{
	leased_close(leased);
	unlink(leased->path);
}
