/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_guest.c -- regions of a cache lead to the memory that is there, seen by a peer
 * that reads and writes through them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "support/arena.h"
#include "support/chance.h"
#include "support/rdma.h"
#include "support/runs.h"
#include "support/test.h"
#include "support/torture_rdma.h"

#define PAGE 4096u
#define THREADS 4u

/* ---- threads ---- */

/* Longer on one kernel; the others have no other cache. */
static unsigned int seconds(unsigned int most)
{
	struct utsname name;
	test_ok(uname(&name));
	bool longer = !strncmp(name.release, "7.2", 3) && rdma_trust() != PINREG_TRUST_FULL;
	return (unsigned int)chance_setting("PINREG_TORTURE_SECONDS", longer ? most : 1);
}

static void torture(const struct pinreg_cache_opts *opts, unsigned int most)
{
	struct torture torture = {
		.threads = THREADS,
		.seconds = seconds(most),
		.seed = chance_new_seed(),
	};
	struct pinreg_why why;
	int status = torture_rdma_run(&torture, opts, opts->method == PINREG_METHOD_ODP, &why);
	if (status)
		fail_msg("%d: %s", status, rdma_sentence(&why));
	printf("%lu transfers, %lu maps, %lu gets, %lu torn: %lu hits, %lu merges, "
	       "%lu invalidations, %lu without an answer\n",
	       (unsigned long)torture_rdma_moved, (unsigned long)torture.maps,
	       (unsigned long)torture.gets, (unsigned long)torture.torn,
	       (unsigned long)torture_rdma_info.hits, (unsigned long)torture_rdma_info.merges,
	       (unsigned long)torture_rdma_info.invalidations, (unsigned long)torture_rdma_silent);
	if (torture.failed)
		fail_msg("%s", torture.failure);
	assert_true(torture_rdma_info.hits > 0);
	assert_true(torture_rdma_silent <= torture_rdma_moved / 100);
	test_ok(pinreg_domain_close(rdma_domain(NULL)));
}

static void uffd__no_stale_byte(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_UFFD };
	torture(&opts, 8);
}

static void strict__no_stale_byte(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.strict = 1,
	};
	torture(&opts, 8);
}

static void manual__no_stale_byte(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = { .size = sizeof(opts), .monitor = PINREG_MONITOR_MANUAL };
	torture(&opts, 4);
}

/* Where it is not to be trusted nothing is registered that way, by a cache neither. */
static void odp__no_stale_byte(void **state)
{
	(void)state;
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_ODP,
		.method = PINREG_METHOD_ODP,
	};
	struct pinreg_cache *cache = NULL;
	struct pinreg_region *region = NULL;
	if (rdma_trust() == PINREG_TRUST_FULL) {
		torture(&opts, 4);
		return;
	}
	unsigned char *memory =
		map_or_fail(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(pinreg_cache_open(rdma_domain(NULL), &opts, NULL, &cache));
	assert_int_equal(pinreg_cache_get(cache, memory, PAGE, 0, NULL, NULL, &region),
			 -EOPNOTSUPP);
	test_ok(pinreg_cache_close(cache));
}

/* ---- kinds of memory ---- */

static struct pinreg_cache *cache;
static struct rdma_peer *peer;

static void open_all(unsigned int keep_files)
{
	struct pinreg_cache_opts opts = {
		.size = sizeof(opts),
		.monitor = PINREG_MONITOR_UFFD,
		.keep_files = keep_files,
	};
	struct pinreg_why why;
	int status = pinreg_cache_open(rdma_domain(NULL), &opts, &why, &cache);
	if (status)
		fail_msg("%d: %s, %s", status, why.step, rdma_sentence(&why));
	peer = rdma_peer_open();
}

static void close_all(void)
{
	rdma_peer_close(peer);
	test_ok(pinreg_cache_close(cache));
	test_ok(pinreg_domain_close(rdma_domain(NULL)));
}

/* Both ways through a region of the cache. True: it was there. */
static bool move(unsigned char *memory, size_t length, unsigned int seed)
{
	struct pinreg_cache_info before = { .size = sizeof(before) }, after = before;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	test_ok(pinreg_cache_query(cache, &before));
	int status = pinreg_cache_get(cache, memory, length, 0, &keys, &why, &region);
	if (status)
		fail_msg("%d: %s", status, rdma_sentence(&why));
	rdma_pattern(memory, RDMA_ROOM, seed);
	test_ok(rdma_peer_read(peer, &keys, (uintptr_t)memory - keys.addr, RDMA_ROOM));
	rdma_expect(rdma_peer_buffer(peer), RDMA_ROOM, seed);
	rdma_pattern(rdma_peer_buffer(peer), RDMA_ROOM, seed + 1);
	test_ok(rdma_peer_write(peer, &keys, (uintptr_t)memory - keys.addr, RDMA_ROOM));
	rdma_expect(memory, RDMA_ROOM, seed + 1);
	test_ok(pinreg_cache_put(cache, region));
	test_ok(pinreg_cache_query(cache, &after));
	return after.hits > before.hits;
}

/* Where the library's threads do not map anything while there is nothing. */
static unsigned char *own_addresses(size_t length)
{
	uintptr_t start = (uintptr_t)arena_open(length + HUGE_SIZE);
	return (unsigned char *)((start + HUGE_SIZE - 1) & ~(uintptr_t)(HUGE_SIZE - 1));
}

static void map_at(unsigned char *addr, size_t length, int flags, int fd)
{
	assert_ptr_equal(mmap(addr, length, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0),
			 addr);
}

/* Kept while it is mapped, and not a moment longer. */
static void expect_sound(size_t length, int flags, int fd)
{
	unsigned char *memory = own_addresses(length);
	map_at(memory, length, flags, fd);
	assert_false(move(memory, length, 1));
	for (unsigned int i = 0; i < 8; i++) {
		assert_true(move(memory, length, 2));
		assert_true(move(memory + length - RDMA_ROOM, RDMA_ROOM, 3));
		test_ok(munmap(memory, length));
		map_at(memory, length, flags, fd);
		assert_false(move(memory, length, 4 + i));
	}
	test_ok(munmap(memory, length));
}

static void kind__anonymous(void **state)
{
	(void)state;
	open_all(0);
	expect_sound(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	close_all();
}

static void kind__shared_anonymous(void **state)
{
	(void)state;
	open_all(1);
	expect_sound(1 << 20, MAP_SHARED | MAP_ANONYMOUS, -1);
	close_all();
}

static void kind__huge_pages(void **state)
{
	(void)state;
	open_all(0);
	expect_sound(2 * HUGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	close_all();
}

static void kind__shared_huge_pages(void **state)
{
	(void)state;
	open_all(1);
	expect_sound(2 * HUGE_SIZE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	close_all();
}

/* Of a part of a huge page the whole is watched, and unmapped. */
static void kind__part_of_a_huge_page(void **state)
{
	(void)state;
	unsigned char *memory = own_addresses(2 * HUGE_SIZE);
	map_at(memory, 2 * HUGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	open_all(0);
	assert_false(move(memory + PAGE, RDMA_ROOM, 1));
	assert_true(move(memory + PAGE, RDMA_ROOM, 2));
	assert_false(move(memory + HUGE_SIZE + PAGE, RDMA_ROOM, 3));
	test_ok(munmap(memory, HUGE_SIZE));
	map_at(memory, HUGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	assert_false(move(memory + PAGE, RDMA_ROOM, 4));
	assert_true(move(memory + HUGE_SIZE + PAGE, RDMA_ROOM, 5));
	close_all();
}

static void kind__memory_of_a_descriptor(void **state)
{
	(void)state;
	int fd = (int)test_ok(memfd_create("cached", MFD_CLOEXEC));
	test_ok(ftruncate(fd, 1 << 20));
	open_all(1);
	expect_sound(1 << 20, MAP_SHARED, fd);
	close_all();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(uffd__no_stale_byte),	     cmocka_unit_test(strict__no_stale_byte),
	cmocka_unit_test(manual__no_stale_byte),     cmocka_unit_test(odp__no_stale_byte),
	cmocka_unit_test(kind__anonymous),	     cmocka_unit_test(kind__shared_anonymous),
	cmocka_unit_test(kind__huge_pages),	     cmocka_unit_test(kind__shared_huge_pages),
	cmocka_unit_test(kind__part_of_a_huge_page), cmocka_unit_test(kind__memory_of_a_descriptor),
};

TEST_MAIN(cases)
