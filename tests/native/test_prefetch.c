/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_prefetch.c -- faulting the pages of an ODP region in: for whom, and in
 * which pieces.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/test.h"
#include "sys/real.h"

#define PAGE ((uint64_t)4096)
#define PIECES_MAX 16

/* What a provider was advised of. */
static struct {
	unsigned int calls;
	unsigned int wrong; /* calls with another number of elements or another key */
	enum ibv_advise_mr_advice advice;
	struct ibv_sge pieces[PIECES_MAX];
	unsigned int fail_at; /* this call gives EOPNOTSUPP; 0: none */
} advised;

static int advise_mr(struct ibv_pd *pd, enum ibv_advise_mr_advice advice, uint32_t flags,
		     struct ibv_sge *sg_list, uint32_t num_sges)
{
	(void)pd;
	(void)flags;
	advised.wrong += num_sges != 1 || sg_list->lkey != 42;
	advised.advice = advice;
	if (advised.calls < PIECES_MAX)
		advised.pieces[advised.calls] = sg_list[0];
	return ++advised.calls == advised.fail_at ? EOPNOTSUPP : 0;
}

/* A provider that has nothing but that. */
static struct verbs_context provider = {
	.advise_mr = advise_mr,
	.sz = sizeof(provider),
	.context.abi_compat = __VERBS_ABI_IS_EXTENDED,
};
static struct ibv_pd provider_pd = { .context = &provider.context };
static struct ibv_mr provider_mr = { .pd = &provider_pd, .lkey = 42 };

/* They follow each other, none is too long for the 32 bits of its length. */
static void expect_cover(uint64_t addr, uint64_t length)
{
	uint64_t at = addr;
	assert_true(advised.calls <= PIECES_MAX);
	for (unsigned int i = 0; i < advised.calls; i++) {
		assert_int_equal(advised.pieces[i].addr, at);
		assert_true(advised.pieces[i].length > 0);
		assert_true(advised.pieces[i].length < UINT32_C(1) << 31);
		at += advised.pieces[i].length;
	}
	assert_int_equal(at, addr + length);
	assert_int_equal(advised.wrong, 0);
}

static int prefetch(uint64_t addr, uint64_t length, bool write)
{
	memset(&advised, 0, offsetof(__typeof__(advised), fail_at));
	return pinreg_real_mr_prefetch(&provider_mr, (void *)(uintptr_t)addr, length, write);
}

static void prefetch__long_range_in_pieces(void **state)
{
	(void)state;
	static const uint64_t lengths[] = { 1,
					    PAGE,
					    UINT64_C(1) << 30,
					    (UINT64_C(1) << 30) + 1,
					    UINT64_C(1) << 32,
					    (UINT64_C(5) << 30) + 12345 };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		test_ok(prefetch(0x10000001, lengths[i], true));
		expect_cover(0x10000001, lengths[i]);
		assert_int_equal(advised.advice, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE);
	}
	test_ok(prefetch(0x10000000, PAGE, false));
	assert_int_equal(advised.advice, IBV_ADVISE_MR_ADVICE_PREFETCH);
}

static void prefetch__ends_with_the_first_error(void **state)
{
	(void)state;
	advised.fail_at = 2;
	assert_int_equal(prefetch(0x10000000, UINT64_C(5) << 30, true), -EOPNOTSUPP);
	assert_int_equal(advised.calls, 2);
}

/* The same from above: who is prefetched at all. */
static struct {
	unsigned int calls;
	char *addr;
	uint64_t length; /* of all calls: they follow each other */
	bool write;
	unsigned int populated;
	int status; /* that both give */
} seen;

static struct pinreg_sys table;

static int mr_prefetch(struct ibv_mr *mr, void *addr, uint64_t length, bool write)
{
	assert_non_null(mr);
	if (!seen.calls++)
		seen.addr = addr;
	assert_ptr_equal(seen.addr + seen.length, addr);
	seen.length += length;
	seen.write = write;
	return seen.status;
}

static int populate(void *addr, uint64_t length, bool write)
{
	(void)addr;
	(void)length;
	(void)write;
	seen.populated++;
	return seen.status;
}

static struct pinreg_domain *domain(void)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .odp_trust = PINREG_TRUST_FULL };
	struct pinreg_device device;
	struct pinreg_domain *out = NULL;
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	fake_device_use(&device);
	memset(&seen, 0, sizeof(seen));
	table = pinreg_sys_real;
	table.device_query = fake_device_sys()->device_query;
	table.port_query = fake_device_sys()->port_query;
	table.mr_register = fake_device_sys()->mr_register;
	table.mr_deregister = fake_device_sys()->mr_deregister;
	table.mr_prefetch = mr_prefetch;
	table.populate = populate;
	test_ok(pinreg_domain_open_with(&table, device.pd, &opts, &out));
	return out;
}

/* Register and deregister; the memory is only reserved. */
static void register_as(enum pinreg_method method, unsigned int prefetch_wanted,
			unsigned int read_only, uint64_t length)
{
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.method = method,
		.prefetch = prefetch_wanted,
		.read_only = read_only,
		.no_populate = 1,
	};
	struct pinreg_domain *on = domain();
	struct pinreg_region *region;
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	seen.status = -EOPNOTSUPP;
	test_ok(pinreg_region_register(on, memory, length, &opts, NULL, &region));
	if (seen.calls) {
		assert_ptr_equal(seen.addr, memory);
		assert_int_equal(seen.length, length);
		assert_int_equal(seen.write, !read_only);
	}
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_domain_close(on));
	munmap(memory, length);
}

/* Soft-RoCE's kernel does not check what it is called on: only ODP. */
static void prefetch__only_odp_regions_that_want_it(void **state)
{
	(void)state;
	register_as(PINREG_METHOD_ODP, 1, 0, 16 * PAGE);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.populated, 1);
	register_as(PINREG_METHOD_ODP, 1, 1, 16 * PAGE);
	assert_int_equal(seen.calls, 1);
	register_as(PINREG_METHOD_ODP, 0, 0, 16 * PAGE);
	assert_int_equal(seen.calls, 0);
	register_as(PINREG_METHOD_PIN, 1, 0, 16 * PAGE);
	assert_int_equal(seen.calls, 0);
	register_as(PINREG_METHOD_STAGED, 1, 0, 16 * PAGE);
	assert_int_equal(seen.calls, 0);
	register_as(PINREG_METHOD_AUTO, 1, 0, 16 * PAGE);
	assert_int_equal(seen.calls, 0);
}

static void prefetch__the_whole_of_a_long_range(void **state)
{
	(void)state;
	register_as(PINREG_METHOD_ODP, 1, 0, (UINT64_C(5) << 30) + PAGE);
	/* at once: it is not on a leased file, so that nobody may wait for a fence */
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.populated, 1);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(prefetch__long_range_in_pieces),
	cmocka_unit_test(prefetch__ends_with_the_first_error),
	cmocka_unit_test(prefetch__only_odp_regions_that_want_it),
	cmocka_unit_test(prefetch__the_whole_of_a_long_range),
};

TEST_MAIN(cases)
