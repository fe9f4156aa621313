/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_limits.c -- the limits of a domain, a process and a device: what they
 * count, what is done instead, and which of them an ENOMEM was.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/rdma.h"
#include "support/test.h"

#define PAGE ((uint64_t)4096)
#define LENGTH (16 * PAGE)
#define MIB ((uint64_t)1 << 20)

static struct pinreg_sys table;

/* What the process and the device are said to be at. */
static struct {
	unsigned int memlock_asked;
	struct pinreg_memlock memlock; /* from the second question on */
	uint64_t regions, mappings, mappings_limit;
	int mr_status;	/* of registering; 0: the fake device's */
	int map_status; /* of a shadow's memory; 0: it is made */
} world;

static int memlock(struct pinreg_memlock *out)
{
	bool first = !world.memlock_asked++;
	*out = first ? (struct pinreg_memlock){ .limit = UINT64_MAX } : world.memlock;
	return 0;
}

static int mr_count(struct ibv_context *context, uint64_t *out)
{
	(void)context;
	*out = world.regions;
	return 0;
}

static int map_count(uint64_t *used, uint64_t *limit)
{
	*used = world.mappings;
	*limit = world.mappings_limit;
	return 0;
}

static int mr_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
		       unsigned int access, struct ibv_mr **out)
{
	if (world.mr_status)
		return world.mr_status;
	return fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
}

static int map_anonymous(uint64_t length, void **out)
{
	if (world.map_status)
		return world.map_status;
	return pinreg_sys_real.map_anonymous(length, out);
}

static struct pinreg_domain *domain(uint64_t budget, enum pinreg_trust trust)
{
	struct pinreg_domain_opts opts = {
		.size = sizeof(opts),
		.odp_trust = trust,
		.pin_budget = budget,
	};
	struct pinreg_device device;
	struct pinreg_domain *out = NULL;
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	fake_device.attr.orig_attr.max_mr = 100;
	fake_device_use(&device);
	memset(&world, 0, sizeof(world));
	world.memlock.limit = UINT64_MAX;
	world.mappings_limit = 65530;
	table = pinreg_sys_real;
	table.device_query = fake_device_sys()->device_query;
	table.port_query = fake_device_sys()->port_query;
	table.mr_deregister = fake_device_sys()->mr_deregister;
	table.mr_register = mr_register;
	table.mr_count = mr_count;
	table.map_count = map_count;
	table.memlock = memlock;
	table.map_anonymous = map_anonymous;
	test_ok(pinreg_domain_open_with(&table, device.pd, &opts, &out));
	return out;
}

static void *memory(void)
{
	void *addr =
		mmap(NULL, 2 * LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(addr, MAP_FAILED);
	return addr;
}

static struct pinreg_domain_info query(struct pinreg_domain *on)
{
	struct pinreg_domain_info info = { .size = sizeof(info) };
	test_ok(pinreg_domain_query(on, &info));
	return info;
}

static struct pinreg_why refused(struct pinreg_domain *on, void *addr,
				 const struct pinreg_region_opts *opts, enum pinreg_reason reason)
{
	struct pinreg_region *region = (void *)1;
	struct pinreg_why why;
	assert_int_equal(pinreg_region_register(on, addr, LENGTH, opts, &why, &region), -ENOMEM);
	assert_ptr_equal(region, (void *)1);
	assert_int_equal(why.error, -ENOMEM);
	if (why.reason != reason)
		fail_msg("%s", rdma_sentence(&why));
	return why;
}

static void budget__counts_what_is_pinned_now(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain(40 * PAGE, PINREG_TRUST_NONE);
	struct pinreg_region *first, *second;
	char *addr = memory();
	assert_int_equal(query(on).pin_budget, 40 * PAGE);
	/* two bytes on two pages, and a shadow: whole pages of it */
	struct pinreg_region_opts staged = { .size = sizeof(staged),
					     .method = PINREG_METHOD_STAGED };
	test_ok(pinreg_region_register(on, addr + PAGE - 1, 2, NULL, NULL, &first));
	assert_int_equal(query(on).pinned, 2 * PAGE);
	test_ok(pinreg_region_register(on, addr, 23 * PAGE, &staged, NULL, &second));
	assert_int_equal(query(on).pinned, 25 * PAGE);
	struct pinreg_why why = refused(on, addr, NULL, PINREG_REASON_BUDGET);
	assert_int_equal(why.limit, 40 * PAGE);
	assert_int_equal(why.used, 25 * PAGE);
	assert_int_equal(why.wanted, 16 * PAGE);
	assert_non_null(strstr(rdma_sentence(&why), "102400"));
	test_ok(pinreg_region_deregister(first));
	assert_int_equal(query(on).pinned, 23 * PAGE);
	test_ok(pinreg_region_register(on, addr, LENGTH, NULL, NULL, &first));
	test_ok(pinreg_region_deregister(first));
	test_ok(pinreg_region_deregister(second));
	assert_int_equal(query(on).pinned, 0);
	test_ok(pinreg_domain_close(on));
}

static void budget__is_given_back_by_what_failed(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain(40 * PAGE, PINREG_TRUST_NONE);
	world.mr_status = -EFAULT;
	struct pinreg_region *region = NULL;
	assert_int_equal(pinreg_region_register(on, memory(), LENGTH, NULL, NULL, &region),
			 -EFAULT);
	assert_int_equal(query(on).pinned, 0);
	test_ok(pinreg_domain_close(on));
}

static void budget__none_is_no_limit(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain(0, PINREG_TRUST_NONE);
	assert_int_equal(query(on).pin_budget, UINT64_MAX);
	test_ok(pinreg_domain_close(on));
}

static void limit__odp_where_it_is_trusted(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain(8 * PAGE, PINREG_TRUST_FULL);
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_region *region;
	for (int memlocked = 0; memlocked < 2; memlocked++) {
		if (memlocked) {
			test_ok(pinreg_domain_close(on));
			on = domain(0, PINREG_TRUST_FULL);
			world.memlock_asked = 1;
			world.memlock = (struct pinreg_memlock){ .limit = 8 * PAGE };
		}
		test_ok(pinreg_region_register(on, memory(), LENGTH, NULL, NULL, &region));
		test_ok(pinreg_region_query(region, &info));
		assert_int_equal(info.method, PINREG_METHOD_ODP);
		assert_int_equal(info.why.reason, PINREG_REASON_ODP_LIMIT);
		assert_int_equal(info.why.limit, 8 * PAGE);
		assert_int_equal(info.why.wanted, LENGTH);
		assert_int_equal(query(on).pinned, 0);
		test_ok(pinreg_region_deregister(region));
	}
	test_ok(pinreg_domain_close(on));
}

/* The plan was good, and then the kernel said ENOMEM: each limit by itself. */
static void enomem__which_limit_it_was(void **state)
{
	(void)state;
	struct pinreg_domain *on = domain(0, PINREG_TRUST_NONE);
	void *addr = memory();
	struct pinreg_why why;
	world.mr_status = -ENOMEM;
	why = refused(on, addr, NULL, PINREG_REASON_VERBS);
	assert_int_equal(why.os_error, ENOMEM);

	world.mappings = 65530;
	why = refused(on, addr, NULL, PINREG_REASON_MAP_COUNT);
	assert_int_equal(why.used, 65530);
	assert_int_equal(why.limit, 65530);
	assert_non_null(strstr(rdma_sentence(&why), "max_map_count"));

	world.regions = 100;
	why = refused(on, addr, NULL, PINREG_REASON_MKEYS);
	assert_int_equal(why.used, 100);
	assert_int_equal(why.limit, 100);

	/* another thread was faster: the plan had seen room */
	world.memlock_asked = 0;
	world.memlock = (struct pinreg_memlock){ .limit = 8 * MIB, .used = 8 * MIB - PAGE };
	why = refused(on, addr, NULL, PINREG_REASON_MEMLOCK);
	assert_int_equal(why.used, 8 * MIB - PAGE);
	assert_int_equal(why.limit, 8 * MIB);
	assert_int_equal(why.wanted, LENGTH);
	test_ok(pinreg_domain_close(on));
}

/* A shadow needs memory of its own, and a mapping for it. */
static void enomem__of_a_shadow(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	struct pinreg_domain *on = domain(0, PINREG_TRUST_NONE);
	void *addr = memory();
	world.map_status = -ENOMEM;
	refused(on, addr, &opts, PINREG_REASON_VERBS);
	world.mappings = 65531;
	struct pinreg_why why = refused(on, addr, &opts, PINREG_REASON_MAP_COUNT);
	assert_int_equal(why.used, 65531);
	assert_int_equal(query(on).pinned, 0);
	test_ok(pinreg_domain_close(on));
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(budget__counts_what_is_pinned_now),
	cmocka_unit_test(budget__is_given_back_by_what_failed),
	cmocka_unit_test(budget__none_is_no_limit),
	cmocka_unit_test(limit__odp_where_it_is_trusted),
	cmocka_unit_test(enomem__which_limit_it_was),
	cmocka_unit_test(enomem__of_a_shadow),
};

TEST_MAIN(cases)
