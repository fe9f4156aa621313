/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_oracle_file.c -- memory of files and devices: what the plan says of it,
 * and what the kernel does.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/oracle.h"
#include "support/rdma.h"
#include "support/test.h"

#define RW (PROT_READ | PROT_WRITE)
#define RO PROT_READ
#define ROWS(rows) rows, sizeof(rows) / sizeof((rows)[0])
#define CACHE PINREG_KIND_PAGECACHE
#define FSDAX PINREG_KIND_FSDAX
#define PRIVATE PINREG_KIND_PRIVATE_FILE
#define SPECIAL PINREG_KIND_SPECIAL

#define UNTRACKED "it pins page cache for writing, which the file system does not expect"

static const struct oracle_exception exceptions[] = {
	{ "io_uring", ORACLE_BOTH, NULL, "the kernel's rings: pages that it also writes" },
	{ "vdso", ORACLE_RO, NULL, "the kernel's code; a pin copies it" },
	{ "page cache", ORACLE_RW, " 6.1 ", UNTRACKED },
};

static const struct oracle_exception page_cache[] = {
	{ "shared rw", ORACLE_RW, " 6.1 ", UNTRACKED },
	{ "shared rw, touched", ORACLE_RW, " 6.1 ", UNTRACKED },
	{ "odd end", ORACLE_RW, " 6.1 ", UNTRACKED },
	{ "the file's part of it", ORACLE_RW, " 6.1 ", UNTRACKED },
	{ "deleted", ORACLE_RW, " 6.1 ", UNTRACKED },
};

static const struct oracle_exception fsdax[] = {
	{ "private rw, touched", ORACLE_BOTH, NULL,
	  "a page that was copied is pinned like any other; the map shows no copies" },
};

/* All that can be mapped of a folder's files. */
static void check_folder(const char *where, enum pinreg_kind shared)
{
	const struct memory_row rows[] = {
		{ "shared rw", memory_file, where, RW, MAP_SHARED, 0, shared },
		{ "shared rw, touched", memory_file, where, RW, MAP_SHARED, MEMORY_TOUCHED,
		  shared },
		{ "shared ro", memory_file, where, RO, MAP_SHARED, 0, shared },
		{ "private rw", memory_file, where, RW, MAP_PRIVATE, 0, PRIVATE },
		{ "private rw, touched", memory_file, where, RW, MAP_PRIVATE, MEMORY_TOUCHED,
		  PRIVATE },
		{ "private ro", memory_file, where, RO, MAP_PRIVATE, 0, PRIVATE },
		{ "odd end", memory_file, where, RW, MAP_SHARED, MEMORY_ODD_END, shared },
		{ "past its end", memory_file, where, RW, MAP_SHARED, MEMORY_SHORT, shared },
		{ "truncated", memory_file, where, RW, MAP_SHARED, MEMORY_TOUCHED | MEMORY_CUT,
		  shared },
		{ "emptied", memory_file, where, RW, MAP_SHARED, MEMORY_EMPTIED, shared },
		{ "deleted", memory_file, where, RW, MAP_SHARED, MEMORY_DELETED, shared },
	};
	if (shared == CACHE)
		oracle_rows(ROWS(rows), ROWS(page_cache));
	else
		oracle_rows(ROWS(rows), ROWS(fsdax));
}

static void oracle__page_cache_of_ext4(void **state)
{
	(void)state;
	check_folder("/var/tmp", CACHE);
	oracle_end();
}

/*
 * A tmpfs at /mnt that only this process sees: it and what is mounted in it go
 * away with the process.
 */
static void mount_scratch(const char *command)
{
	test_ok(unshare(CLONE_NEWNS));
	test_ok(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	test_ok(mount("scratch", "/mnt", "tmpfs", 0, NULL));
	if (system(command))
		test_skip("this failed: %s", command);
}

static void oracle__page_cache_of_xfs(void **state)
{
	(void)state;
	mount_scratch("cd /mnt && mkdir m && modprobe loop && truncate -s 300M image &&"
		      " mkfs.xfs -q -c options=/usr/share/xfsprogs/mkfs/lts_6.1.conf image &&"
		      " mount -o loop image m");
	check_folder("/mnt/m", CACHE);
	oracle_end();
}

static void oracle__page_cache_of_btrfs(void **state)
{
	(void)state;
	mount_scratch("cd /mnt && mkdir m && modprobe loop && truncate -s 256M image &&"
		      " mkfs.btrfs -q image && mount -o loop image m");
	check_folder("/mnt/m", CACHE);
	oracle_end();
}

static void oracle__page_cache_without_a_disk(void **state)
{
	(void)state;
	mount_scratch("cd /mnt && mkdir r l u w m && modprobe overlay && mount -t ramfs r r &&"
		      " mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m");
	check_folder("/mnt/r", CACHE);
	oracle_end();
}

static void oracle__fsdax_ext4(void **state)
{
	(void)state;
	check_folder("/pmem/ext4", FSDAX);
	oracle_end();
}

static void oracle__fsdax_xfs(void **state)
{
	(void)state;
	check_folder("/pmem/xfs", FSDAX);
	oracle_end();
}

static void oracle__fsdax_map_sync(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "ext4", memory_file, "/pmem/ext4", RW, MAP_SHARED_VALIDATE | MAP_SYNC, 0, FSDAX },
		{ "xfs", memory_file, "/pmem/xfs", RW, MAP_SHARED_VALIDATE | MAP_SYNC, 0, FSDAX },
	};
	oracle_rows(ROWS(rows), ROWS(exceptions));
	oracle_end();
}

static void oracle__devdax(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "devdax", memory_device, "/dev/dax0.0", RW, MAP_SHARED, MEMORY_TOUCHED,
		  PINREG_KIND_DEVDAX },
		{ "devdax, untouched", memory_device, "/dev/dax0.0", RW, MAP_SHARED, 0,
		  PINREG_KIND_DEVDAX },
		{ "devdax, PROT_READ", memory_device, "/dev/dax0.0", RO, MAP_SHARED, 0,
		  PINREG_KIND_DEVDAX },
		{ "devdax, past its end", memory_devdax_end, NULL, RW, MAP_SHARED, MEMORY_SHORT,
		  PINREG_KIND_DEVDAX },
	};
	oracle_rows(ROWS(rows), ROWS(exceptions));
	oracle_end();
}

static void oracle__special(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "secretmem", memory_secret, NULL, RW, MAP_SHARED, 0, SPECIAL },
		{ "/dev/mem", memory_device, "/dev/mem", RO, MAP_SHARED, 0, SPECIAL },
		{ "PCI", memory_pci, NULL, RW, MAP_SHARED, 0, SPECIAL },
		{ "udmabuf", memory_udmabuf, NULL, RW, MAP_SHARED, 0, SPECIAL },
		{ "io_uring", memory_io_uring, NULL, RW, MAP_SHARED, 0, SPECIAL },
		{ "vdso", memory_named, "[vdso]", RO, 0, 0, SPECIAL },
		{ "vvar", memory_named, "[vvar]", RO, 0, 0, SPECIAL },
	};
	oracle_rows(ROWS(rows), ROWS(exceptions));
	oracle_end();
}

/* The strictest kind decides, and the boundary is known. */
static void check_pair(const struct memory_row *first, const struct memory_row *second)
{
	struct pinreg_plan plan = { .size = sizeof(plan) };
	struct pinreg_region_opts opts = { .size = sizeof(opts), .single_kind = 1 };
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	struct memory memory;
	if (!memory_open_pair(first, second, &memory))
		fail_msg("%s", memory.missing);
	oracle_memory(second->name, &memory, ROWS(exceptions));
	test_ok(pinreg_plan(rdma_domain(NULL), memory.addr, memory.length, NULL, &plan));
	printf("%s + %s: %s\n", first->name, second->name, pinreg_method_name(plan.method));
	int status = pinreg_region_register(rdma_domain(NULL), memory.addr, memory.length, &opts,
					    &why, &region);
	if (plan.method == PINREG_METHOD_REFUSE) {
		assert_int_equal(status, plan.why.error);
	} else {
		assert_int_equal(plan.warnings & PINREG_WARN_MIXED_KINDS, PINREG_WARN_MIXED_KINDS);
		assert_int_equal(status, -EXDEV);
		assert_int_equal(why.reason, PINREG_REASON_KINDS);
		assert_int_equal(why.addr, (uintptr_t)memory.addr + MEMORY_LENGTH);
		assert_int_equal(why.kind, second->kind);
	}
	memory_close(&memory);
}

static void oracle__ranges_over_several_kinds(void **state)
{
	(void)state;
	static const struct memory_row anon = { "anon", memory_anonymous, NULL, RW, MAP_PRIVATE,
						0,	PINREG_KIND_ANON };
	static const struct memory_row hole = { "hole", memory_unmapped, NULL, RW, MAP_PRIVATE,
						0,	PINREG_KIND_HOLE };
	static const struct memory_row memfd = { "memfd", memory_memfd,	    NULL, RW, MAP_SHARED,
						 0,	  PINREG_KIND_SHMEM };
	static const struct memory_row huge = {
		"huge", memory_anonymous,   NULL, RW, MAP_PRIVATE | MAP_HUGETLB,
		0,	PINREG_KIND_HUGETLB
	};
	static const struct memory_row cache = { "page cache", memory_file, "/var/tmp", RW,
						 MAP_SHARED,   0,	    CACHE };
	static const struct memory_row dax = { "fsdax",	   memory_file, "/pmem/ext4", RW,
					       MAP_SHARED, 0,		FSDAX };
	check_pair(&anon, &memfd);
	check_pair(&memfd, &anon);
	check_pair(&anon, &huge);
	check_pair(&anon, &hole);
	check_pair(&anon, &cache);
	check_pair(&cache, &dax);
	check_pair(&anon, &dax);
	check_pair(&dax, &anon);
	oracle_end();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(oracle__page_cache_of_ext4),
	cmocka_unit_test(oracle__page_cache_of_xfs),
	cmocka_unit_test(oracle__page_cache_of_btrfs),
	cmocka_unit_test(oracle__page_cache_without_a_disk),
	cmocka_unit_test(oracle__fsdax_ext4),
	cmocka_unit_test(oracle__fsdax_xfs),
	cmocka_unit_test(oracle__fsdax_map_sync),
	cmocka_unit_test(oracle__devdax),
	cmocka_unit_test(oracle__special),
	cmocka_unit_test(oracle__ranges_over_several_kinds),
};

TEST_MAIN(cases)
