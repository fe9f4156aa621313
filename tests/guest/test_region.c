/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_region.c -- registering every kind of memory on the guest's device, and
 * moving data through what was registered.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/host.h"
#include "support/memlock.h"
#include "support/rdma.h"
#include "support/test.h"

#define HUGE (2u << 20)

static void refused(void *addr, size_t length, const struct pinreg_region_opts *opts, int error,
		    enum pinreg_reason reason, struct pinreg_why *why)
{
	struct pinreg_region *region = (void *)1;
	int status = pinreg_region_register(rdma_domain(NULL), addr, length, opts, why, &region);
	assert_int_equal(status, error);
	assert_int_equal(why->error, error);
	if (why->reason != reason)
		fail_msg("%s", rdma_sentence(why));
	assert_ptr_equal(region, (void *)1);
}

/* Both directions at an odd place, and nothing beside it touched. */
static void move(struct pinreg_region *region, unsigned char *memory, uint64_t offset,
		 uint32_t length)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct rdma_peer *peer = rdma_peer_open();
	test_ok(pinreg_region_keys(region, &keys));
	memset(memory, 0xaa, offset + length + 64);
	rdma_pattern(rdma_peer_buffer(peer), length, 1);
	test_ok(rdma_peer_write(peer, &keys, offset, length));
	test_ok(pinreg_region_commit(region, offset, length));
	rdma_expect(memory + offset, length, 1);
	for (uint64_t i = 0; i < 64; i++) {
		assert_int_equal(memory[offset + length + i], 0xaa);
		if (i < offset)
			assert_int_equal(memory[offset - 1 - i], 0xaa);
	}
	rdma_pattern(memory + offset, length, 2);
	test_ok(pinreg_region_refresh(region, offset, length));
	test_ok(rdma_peer_read(peer, &keys, offset, length));
	rdma_expect(rdma_peer_buffer(peer), length, 2);
	rdma_peer_close(peer);
}

static void check_pinned(void *addr, size_t length)
{
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_region *region = rdma_register(addr, length, NULL);
	test_ok(pinreg_region_query(region, &info));
	assert_int_equal(info.method, PINREG_METHOD_PIN);
	assert_int_equal(info.why.reason, PINREG_REASON_PIN_MEMORY);
	assert_int_equal(info.generation, 1);
	assert_int_equal(info.live, 1);
	move(region, addr, 101, 70001);
	test_ok(pinreg_region_deregister(region));
}

static void *map(size_t length, int flags, int fd)
{
	void *addr = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (addr == MAP_FAILED)
		fail_msg("mmap: %s", strerror(errno));
	return addr;
}

static void region__anonymous_memory(void **state)
{
	(void)state;
	check_pinned(map(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1), 1 << 20);
}

static void region__memfd(void **state)
{
	(void)state;
	int fd = memfd_create("test", MFD_CLOEXEC);
	test_ok(ftruncate(fd, 1 << 20));
	check_pinned(map(1 << 20, MAP_SHARED, fd), 1 << 20);
}

static void region__huge_pages(void **state)
{
	(void)state;
	check_pinned(map(HUGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1), HUGE);
}

static void region__devdax(void **state)
{
	(void)state;
	int fd = open("/dev/dax0.0", O_RDWR | O_CLOEXEC);
	test_ok(fd);
	check_pinned(map(HUGE, MAP_SHARED, fd), HUGE);
}

static void region__odp_on_request_follows_trust(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_ODP };
	struct pinreg_why why;
	unsigned char *memory = map(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!rdma_has_odp()) {
		refused(memory, 1 << 20, &opts, -EOPNOTSUPP, PINREG_REASON_ODP_MISSING, &why);
		return;
	}
	if (rdma_trust() == PINREG_TRUST_FULL) {
		struct pinreg_region *region = rdma_register(memory, 1 << 20, &opts);
		move(region, memory, 101, 70001);
		test_ok(pinreg_region_deregister(region));
	} else {
		refused(memory, 1 << 20, &opts, -EOPNOTSUPP, PINREG_REASON_ODP_GRANULARITY, &why);
		assert_true(why.wrong > 0);
	}
	opts.granularity = PINREG_GRANULARITY_PAGE;
	struct pinreg_region *region = rdma_register(memory, 1 << 20, &opts);
	move(region, memory, 8192, 65536);
	test_ok(pinreg_region_deregister(region));
}

static void region__odp_with_atomics_follows_proof(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.method = PINREG_METHOD_ODP,
		.granularity = PINREG_GRANULARITY_PAGE,
		.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
			  IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC,
	};
	struct pinreg_trust_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	unsigned char *memory = map(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_ok(pinreg_domain_test_odp(rdma_domain(NULL), &report));
	if (!rdma_has_odp()) {
		refused(memory, 1 << 20, &opts, -EOPNOTSUPP, PINREG_REASON_ODP_MISSING, &why);
	} else if (!report.atomics || report.atomics_wrong) {
		refused(memory, 1 << 20, &opts, -EOPNOTSUPP, PINREG_REASON_ODP_ATOMICS, &why);
	} else {
		struct pinreg_region *region = rdma_register(memory, 1 << 20, &opts);
		move(region, memory, 8192, 65536);
		test_ok(pinreg_region_deregister(region));
	}
}

static void region__page_cache(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_why why;
	/* the guest's root is ext4 without DAX */
	char path[] = "/var/tmp/pagecache-XXXXXX";
	int fd = mkstemp(path);
	test_ok(fd);
	test_ok(ftruncate(fd, 1 << 20));
	unsigned char *memory = map(1 << 20, MAP_SHARED, fd);
	if (rdma_has_odp()) {
		struct pinreg_region *region = rdma_register(memory, 1 << 20, &opts);
		test_ok(pinreg_region_query(region, &info));
		assert_int_equal(info.why.reason, PINREG_REASON_ODP_PAGECACHE);
		move(region, memory, 4096, 65536);
		test_ok(pinreg_region_deregister(region));
	} else {
		opts.no_staging = 1;
		refused(memory, 1 << 20, &opts, -EOPNOTSUPP, PINREG_REASON_ODP_MISSING, &why);
		opts.no_staging = 0;
		struct pinreg_region *region = rdma_register(memory, 1 << 20, &opts);
		test_ok(pinreg_region_query(region, &info));
		assert_int_equal(info.method, PINREG_METHOD_STAGED);
		assert_int_equal(info.why.reason, PINREG_REASON_STAGED_NO_ODP);
		move(region, memory, 4096, 65536);
		test_ok(pinreg_region_deregister(region));
	}
	opts.read_only = 1;
	memset(memory, 1, 1 << 20);
	struct pinreg_region *region = rdma_register(memory, 1 << 20, &opts);
	test_ok(pinreg_region_query(region, &info));
	assert_int_equal(info.why.reason, PINREG_REASON_PIN_READ_ONLY);
	test_ok(pinreg_region_deregister(region));
	unlink(path);
}

static void dmabuf__the_device_says_no_and_so_do_we(void **state)
{
	(void)state;
	host_run("modprobe udmabuf 2>/dev/null");
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (device < 0)
		test_skip("/dev/udmabuf: %s", strerror(errno));
	int memory = memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	test_ok(ftruncate(memory, 1 << 20));
	test_ok(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK));
	struct udmabuf_create create = { .memfd = (__u32)memory, .size = 1 << 20 };
	int fd = ioctl(device, UDMABUF_CREATE, &create);
	test_ok(fd);
	errno = 0;
	assert_null(ibv_reg_dmabuf_mr(rdma_pd(), 0, 1 << 20, 0, fd, IBV_ACCESS_LOCAL_WRITE));
	assert_int_equal(errno, EOPNOTSUPP);
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	assert_int_equal(pinreg_region_register_dmabuf(rdma_domain(NULL), fd, 0, 1 << 20, NULL,
						       &why, &region),
			 -EOPNOTSUPP);
	assert_int_equal(why.reason, PINREG_REASON_DMABUF_MISSING);
	printf("%s\n", rdma_sentence(&why));
}

static void region__impossible_ranges(void **state)
{
	(void)state;
	struct pinreg_why why;
	char *memory = map(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	refused(NULL, 4096, NULL, -EINVAL, PINREG_REASON_BAD_RANGE, &why);
	refused(memory, 0, NULL, -EINVAL, PINREG_REASON_BAD_RANGE, &why);
	refused((void *)-4096, 8192, NULL, -EINVAL, PINREG_REASON_BAD_RANGE, &why);

	test_ok(munmap(memory + 8192, 4096));
	refused(memory, 1 << 20, NULL, -EFAULT, PINREG_REASON_HOLE, &why);
	assert_int_equal(why.addr, (uintptr_t)memory + 8192);
	assert_int_equal(why.length, 4096);

	test_ok(mprotect(memory + 4096, 4096, PROT_READ));
	refused(memory, 8192, NULL, -EACCES, PINREG_REASON_PROTECTION, &why);
	assert_int_equal(why.addr, (uintptr_t)memory + 4096);
	assert_int_equal(why.length, 4096);
	struct pinreg_region_opts read_only = { .size = sizeof(read_only), .read_only = 1 };
	test_ok(pinreg_region_deregister(rdma_register(memory, 8192, &read_only)));

	struct pinreg_region *region = NULL;
	assert_int_equal(pinreg_region_register(NULL, memory, 4096, NULL, &why, &region), -EINVAL);
	assert_int_equal(pinreg_region_register(rdma_domain(NULL), memory, 4096, NULL, &why, NULL),
			 -EINVAL);
	assert_int_equal(pinreg_region_commit(NULL, 0, 0), -EINVAL);
	assert_int_equal(pinreg_region_deregister(NULL), 0);
}

static void region__commit_outside(void **state)
{
	(void)state;
	char *memory = map(8192, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct pinreg_region *region = rdma_register(memory, 8192, NULL);
	assert_int_equal(pinreg_region_commit(region, 0, 8193), -EINVAL);
	assert_int_equal(pinreg_region_commit(region, 8193, 0), -EINVAL);
	assert_int_equal(pinreg_region_commit(region, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(pinreg_region_commit(region, 8192, 0), 0);
	assert_int_equal(pinreg_domain_close(rdma_domain(NULL)), -EBUSY);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_domain_close(rdma_domain(NULL)));
}

static void region__memlock_exceeded(void **state)
{
	(void)state;
	struct pinreg_why why;
	char *memory = map(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	rdma_domain(NULL);
	memlock_limit(192 << 10);
	struct pinreg_region *region = rdma_register(memory, 128 << 10, NULL);
	/* what is left by our own counting is what the kernel lets through */
	refused(memory, 68 << 10, NULL, -ENOMEM, PINREG_REASON_MEMLOCK, &why);
	assert_int_equal(why.limit, 192 << 10);
	assert_int_equal(why.used, 128 << 10);
	assert_int_equal(why.wanted, 68 << 10);
	test_ok(pinreg_region_deregister(rdma_register(memory, 64 << 10, NULL)));
	test_ok(pinreg_region_deregister(region));
	memlock_limit(0);
	refused(memory, 4096, NULL, -EPERM, PINREG_REASON_MEMLOCK, &why);
}

static void plan__agrees_with_what_is_done(void **state)
{
	(void)state;
	char *memory = map(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct pinreg_plan plan = { .size = sizeof(plan) };
	struct pinreg_region_info info = { .size = sizeof(info) };
	test_ok(pinreg_plan(rdma_domain(NULL), memory, 1 << 20, NULL, &plan));
	struct pinreg_region *region = rdma_register(memory, 1 << 20, NULL);
	test_ok(pinreg_region_query(region, &info));
	assert_int_equal(info.method, plan.method);
	assert_int_equal(info.access, plan.access);
	assert_int_equal(info.why.reason, plan.why.reason);
	test_ok(pinreg_region_deregister(region));
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(region__anonymous_memory),
	cmocka_unit_test(region__memfd),
	cmocka_unit_test(region__huge_pages),
	cmocka_unit_test(region__devdax),
	cmocka_unit_test(region__odp_on_request_follows_trust),
	cmocka_unit_test(region__odp_with_atomics_follows_proof),
	cmocka_unit_test(region__page_cache),
	cmocka_unit_test(dmabuf__the_device_says_no_and_so_do_we),
	cmocka_unit_test(region__impossible_ranges),
	cmocka_unit_test(region__commit_outside),
	cmocka_unit_test(region__memlock_exceeded),
	cmocka_unit_test(plan__agrees_with_what_is_done),
};

TEST_MAIN(cases)
