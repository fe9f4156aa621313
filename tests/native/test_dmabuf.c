/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_dmabuf.c -- registering by a dma-buf on a device of memcpy: what reaches
 * verbs, whose descriptor is used, and what is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/rdma.h"
#include "support/test.h"

#define RW (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/* What the device was asked for last. */
static struct {
	unsigned int calls;
	int fd;
	uint64_t offset, length, iova;
	unsigned int access;
	int status; /* that it gives */
} asked;

static struct ibv_mr region_mr;
static struct pinreg_sys table;

static int mr_register_dmabuf(struct ibv_pd *pd, int fd, uint64_t offset, size_t length,
			      uint64_t iova, unsigned int access, struct ibv_mr **out)
{
	asked.calls++;
	asked.fd = fd;
	asked.offset = offset;
	asked.length = length;
	asked.iova = iova;
	asked.access = access;
	if (asked.status)
		return asked.status;
	region_mr = (struct ibv_mr){ .pd = pd, .length = length, .lkey = 5, .rkey = 7 };
	*out = &region_mr;
	return 0;
}

static int mr_deregister(struct ibv_mr *mr)
{
	assert_ptr_equal(mr, &region_mr);
	return 0;
}

static struct pinreg_domain *domain(void)
{
	struct pinreg_device device;
	struct pinreg_domain *out = NULL;
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = 1u << 20;
	fake_device_use(&device);
	memset(&asked, 0, sizeof(asked));
	table = pinreg_sys_real;
	table.device_query = fake_device_sys()->device_query;
	table.port_query = fake_device_sys()->port_query;
	table.mr_register_dmabuf = mr_register_dmabuf;
	table.mr_deregister = mr_deregister;
	test_ok(pinreg_domain_open_with(&table, device.pd, NULL, &out));
	return out;
}

/* No dma-buf: nobody here looks into it. */
static int descriptor(void)
{
	int fd = memfd_create("dma-buf", MFD_CLOEXEC);
	test_ok(fd);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void dmabuf__everything_is_passed_on(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain();
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ,
		.iova = 0x123000,
	};
	struct pinreg_region *region;
	struct pinreg_why why;
	int fd = descriptor();
	test_ok(pinreg_region_register_dmabuf(on, fd, 4096, 8192, &opts, &why, &region));
	assert_int_equal(asked.calls, 1);
	assert_int_equal(asked.offset, 4096);
	assert_int_equal(asked.length, 8192);
	assert_int_equal(asked.iova, 0x123000);
	assert_int_equal(asked.access, opts.access);
	assert_int_equal(why.reason, PINREG_REASON_DMABUF_MEMORY);
	assert_true(strlen(rdma_sentence(&why)) > 20);

	test_ok(pinreg_region_keys(region, &keys));
	assert_int_equal(keys.addr, 0x123000);
	assert_int_equal(keys.length, 8192);
	assert_int_equal(keys.rkey, 7);
	test_ok(pinreg_region_query(region, &info));
	assert_int_equal(info.method, PINREG_METHOD_DMABUF);
	assert_int_equal(info.access, opts.access);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_domain_close(on));
}

static void dmabuf__addresses_begin_at_the_offset(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain();
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region *region;
	int fd = descriptor();
	test_ok(pinreg_region_register_dmabuf(on, fd, 12288, 4096, NULL, NULL, &region));
	assert_int_equal(asked.iova, 12288);
	assert_int_equal(asked.access, RW);
	test_ok(pinreg_region_keys(region, &keys));
	assert_int_equal(keys.addr, 12288);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_domain_close(on));
}

static void dmabuf__descriptor_is_our_own(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain();
	struct pinreg_region *region;
	int fd = descriptor();
	test_ok(pinreg_region_register_dmabuf(on, fd, 0, 4096, NULL, NULL, &region));
	assert_int_not_equal(asked.fd, fd);
	assert_int_equal(fcntl(asked.fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_true(is_open(asked.fd));
	test_ok(pinreg_region_deregister(region));
	assert_false(is_open(asked.fd));
	test_ok(pinreg_domain_close(on));
}

static void dmabuf__commit_and_refresh_do_nothing(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain();
	struct pinreg_region *region;
	int fd = descriptor();
	test_ok(pinreg_region_register_dmabuf(on, fd, 4096, 8192, NULL, NULL, &region));
	test_ok(pinreg_region_commit(region, 0, 8192));
	test_ok(pinreg_region_refresh(region, 0, 8192));
	assert_int_equal(pinreg_region_commit(region, 1, 8192), -EINVAL);
	assert_int_equal(pinreg_region_refresh(region, 8193, 0), -EINVAL);
	assert_int_equal(pinreg_domain_close(on), -EBUSY);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_domain_close(on));
}

/* The call fails with that, and nothing is left open. */
static void refused(struct pinreg_domain *on, int fd, uint64_t offset, uint64_t length,
		    const struct pinreg_region_opts *opts, int error, enum pinreg_reason reason)
{
	struct pinreg_region *region = (void *)1;
	struct pinreg_why why;
	int next = dup(0);
	close(next);
	assert_int_equal(pinreg_region_register_dmabuf(on, fd, offset, length, opts, &why, &region),
			 error);
	assert_ptr_equal(region, (void *)1);
	if (why.reason != reason || why.error != error)
		fail_msg("%d: %s", why.error, rdma_sentence(&why));
	assert_false(is_open(next));
}

static void dmabuf__device_that_cannot(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain();
	struct pinreg_domain_info info = { .size = sizeof(info) };
	asked.status = -EOPNOTSUPP;
	int fd = descriptor();
	refused(on, fd, 0, 4096, NULL, -EOPNOTSUPP, PINREG_REASON_DMABUF_MISSING);
	asked.status = -EINVAL;
	refused(on, fd, 0, 4096, NULL, -EINVAL, PINREG_REASON_VERBS);
	test_ok(pinreg_domain_query(on, &info));
	assert_int_equal(info.pinned, 0);
	test_ok(pinreg_domain_close(on));
}

static void dmabuf__bad_ranges_and_options(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain();
	int fd = descriptor();
	struct pinreg_region_opts pin = { .size = sizeof(pin), .method = PINREG_METHOD_PIN };
	struct pinreg_region_opts odd = { .size = sizeof(odd), .access = IBV_ACCESS_REMOTE_WRITE };
	struct pinreg_region_opts good = { .size = sizeof(good), .method = PINREG_METHOD_DMABUF };
	struct pinreg_region_opts pages = {
		.size = sizeof(pages),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_region *region;
	refused(on, fd, 0, 0, NULL, -EINVAL, PINREG_REASON_BAD_RANGE);
	refused(on, fd, UINT64_MAX - 4095, 8192, NULL, -EINVAL, PINREG_REASON_BAD_RANGE);
	refused(on, fd, 0, (1u << 20) + 1, NULL, -E2BIG, PINREG_REASON_TOO_LONG);
	refused(on, fd, 0, 4096, &pin, -EINVAL, PINREG_REASON_BAD_OPTION);
	refused(on, fd, 0, 4096, &odd, -EINVAL, PINREG_REASON_BAD_OPTION);
	refused(on, fd, 0, 4097, &pages, -EINVAL, PINREG_REASON_UNALIGNED);
	refused(on, fd, 512, 4096, &pages, -EINVAL, PINREG_REASON_UNALIGNED);
	refused(on, -1, 0, 4096, NULL, -EBADF, PINREG_REASON_VERBS);
	assert_int_equal(asked.calls, 0);
	assert_int_equal(pinreg_region_register_dmabuf(NULL, fd, 0, 1, NULL, NULL, &region),
			 -EINVAL);
	assert_int_equal(pinreg_region_register_dmabuf(on, fd, 0, 1, NULL, NULL, NULL), -EINVAL);
	test_ok(pinreg_region_register_dmabuf(on, fd, 0, 4096, &good, NULL, &region));
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_domain_close(on));
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(dmabuf__everything_is_passed_on),
	cmocka_unit_test(dmabuf__addresses_begin_at_the_offset),
	cmocka_unit_test(dmabuf__descriptor_is_our_own),
	cmocka_unit_test(dmabuf__commit_and_refresh_do_nothing),
	cmocka_unit_test(dmabuf__device_that_cannot),
	cmocka_unit_test(dmabuf__bad_ranges_and_options),
};

TEST_MAIN(cases)
