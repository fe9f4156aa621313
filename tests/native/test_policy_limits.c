/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy_limits.c -- shadows, budgets, other addresses, flushes, kinds that
 * meet, and what a plan says besides its method.
 */
#include <errno.h>
#include <string.h>

#include "plan/policy.h"
#include "support/test.h"

#define RW (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
#define RO IBV_ACCESS_REMOTE_READ
#define PRW (PINREG_PROT_READ | PINREG_PROT_WRITE)
#define PAGE 4096u
#define HUGE (2u << 20)
#define BASE 0x7f0000000000u

static struct pinreg_run runs[2];
static struct pinreg_policy_input input;

/* Sixteen pages of one kind, on a device that can everything and is trusted. */
static void set(enum pinreg_kind kind, unsigned int access)
{
	runs[0] = (struct pinreg_run){
		.size = sizeof(struct pinreg_run),
		.addr = BASE,
		.length = 16 * PAGE,
		.kind = kind,
		.prot = PRW,
		.page_size = PAGE,
		.file_size = 16 * PAGE,
	};
	input = (struct pinreg_policy_input){
		.addr = BASE,
		.length = 16 * PAGE,
		.runs = runs,
		.count = 1,
		.page_size = PAGE,
		.access = access,
		.odp = IBV_ODP_SUPPORT,
		.odp_rc = IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ,
		.flush_global = true,
		.flush_persistent = true,
		.max_mr_size = UINT64_MAX,
		.memlock = { .limit = UINT64_MAX },
		.budget = { .limit = UINT64_MAX },
		.trust = { .trust = PINREG_TRUST_FULL, .mtu = 4096 },
	};
}

/* The second half of it is of another kind. */
static void set_second(enum pinreg_kind kind)
{
	runs[1] = runs[0];
	runs[0].length = runs[1].length = 8 * PAGE;
	runs[1].addr += 8 * PAGE;
	runs[1].kind = kind;
	input.count = 2;
}

static struct pinreg_plan decide(void)
{
	struct pinreg_plan plan = { .size = sizeof(plan) };
	pinreg_policy_decide(&input, &plan);
	return plan;
}

static void expect(enum pinreg_method method, enum pinreg_reason reason, int error)
{
	struct pinreg_plan plan = decide();
	if (plan.method != method || plan.why.reason != reason || plan.why.error != error)
		fail_msg("%s, %s, %d", pinreg_method_name(plan.method),
			 pinreg_reason_name(plan.why.reason), plan.why.error);
}

static void refused(enum pinreg_reason reason, int error)
{
	expect(PINREG_METHOD_REFUSE, reason, error);
}

static void staged__counts_against_limits(void **state)
{
	(void)state;
	set(PINREG_KIND_FSDAX, RW);
	input.odp = 0;
	struct pinreg_plan plan = decide();
	assert_int_equal(plan.method, PINREG_METHOD_STAGED);
	assert_int_equal(plan.pin_bytes, 16 * PAGE);
	assert_int_equal(plan.iova, 0);
	assert_int_equal(plan.warnings, PINREG_WARN_MUST_COMMIT);
	assert_int_equal(plan.access, RW);
	input.memlock = (struct pinreg_memlock){ .limit = 16 * PAGE, .used = 1 };
	refused(PINREG_REASON_MEMLOCK, -ENOMEM);
	input.memlock.limit = UINT64_MAX;
	input.budget = (struct pinreg_memlock){ .limit = 16 * PAGE - 1 };
	refused(PINREG_REASON_BUDGET, -ENOMEM);
}

static void staged__on_request_whatever_the_memory(void **state)
{
	(void)state;
	static const enum pinreg_kind kinds[] = { PINREG_KIND_ANON,    PINREG_KIND_SHMEM,
						  PINREG_KIND_HUGETLB, PINREG_KIND_PAGECACHE,
						  PINREG_KIND_FSDAX,   PINREG_KIND_DEVDAX };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		set(kinds[i], RW);
		input.method = PINREG_METHOD_STAGED;
		expect(PINREG_METHOD_STAGED, PINREG_REASON_STAGED_REQUESTED, 0);
		assert_int_equal(decide().why.kind, kinds[i]);
	}
	set(PINREG_KIND_SPECIAL, RW);
	input.method = PINREG_METHOD_STAGED;
	refused(PINREG_REASON_SPECIAL, -EOPNOTSUPP);
}

/* The shadow is no persistent memory, whatever the home is. */
static void staged__no_flush_to_persistence(void **state)
{
	(void)state;
	set(PINREG_KIND_FSDAX, RW | PINREG_ACCESS_FLUSH_PERSISTENT);
	expect(PINREG_METHOD_ODP, PINREG_REASON_ODP_FSDAX, 0);
	input.odp = 0;
	refused(PINREG_REASON_FLUSH_NOT_PMEM, -EINVAL);
	input.access = RW | PINREG_ACCESS_FLUSH_GLOBAL;
	expect(PINREG_METHOD_STAGED, PINREG_REASON_STAGED_NO_ODP, 0);
}

static void flush__needs_device_and_memory(void **state)
{
	(void)state;
	set(PINREG_KIND_DEVDAX, RW | PINREG_ACCESS_FLUSH_GLOBAL | PINREG_ACCESS_FLUSH_PERSISTENT);
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	input.flush_persistent = false;
	refused(PINREG_REASON_FLUSH_MISSING, -EOPNOTSUPP);
	assert_int_equal(decide().why.wanted, PINREG_ACCESS_FLUSH_PERSISTENT);
	input.flush_global = false;
	assert_int_equal(decide().why.wanted,
			 PINREG_ACCESS_FLUSH_PERSISTENT | PINREG_ACCESS_FLUSH_GLOBAL);
	set(PINREG_KIND_ANON, RW | PINREG_ACCESS_FLUSH_PERSISTENT);
	refused(PINREG_REASON_FLUSH_NOT_PMEM, -EINVAL);
	set(PINREG_KIND_ANON, RW | PINREG_ACCESS_FLUSH_GLOBAL);
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
}

static void limit__odp_where_it_is_trusted(void **state)
{
	(void)state;
	struct pinreg_memlock tight = { .limit = 20 * PAGE, .used = 5 * PAGE };
	for (int budget = 0; budget < 2; budget++) {
		set(PINREG_KIND_ANON, RW);
		*(budget ? &input.budget : &input.memlock) = tight;
		expect(PINREG_METHOD_ODP, PINREG_REASON_ODP_LIMIT, 0);
		struct pinreg_plan plan = decide();
		assert_int_equal(plan.why.used, 5 * PAGE);
		assert_int_equal(plan.why.limit, 20 * PAGE);
		assert_int_equal(plan.why.wanted, 16 * PAGE);
		assert_int_equal(plan.pin_bytes, 0);
		input.trust.trust = PINREG_TRUST_UNTESTED;
		refused(PINREG_REASON_ODP_UNTESTED, -EOPNOTSUPP);
		/* the limit is what the caller hears, and not that ODP is no way out */
		input.trust.trust = PINREG_TRUST_PAGE;
		refused(budget ? PINREG_REASON_BUDGET : PINREG_REASON_MEMLOCK, -ENOMEM);
		assert_int_equal(decide().why.wanted, 16 * PAGE);
		input.granularity = PINREG_GRANULARITY_PAGE;
		expect(PINREG_METHOD_ODP, PINREG_REASON_ODP_LIMIT, 0);
		/* who insists on a pin gets none */
		input.method = PINREG_METHOD_PIN;
		refused(budget ? PINREG_REASON_BUDGET : PINREG_REASON_MEMLOCK, -ENOMEM);
	}
}

static void iova__another_one_needs_proof(void **state)
{
	(void)state;
	set(PINREG_KIND_ANON, RW);
	input.iova = BASE;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	input.iova = 0x1000;
	refused(PINREG_REASON_IOVA, -EOPNOTSUPP);
	assert_int_equal(decide().why.addr, 0x1000);
	input.iova_works = true;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	assert_int_equal(decide().iova, 0x1000);
	/* ODP never has one; a shadow does */
	set(PINREG_KIND_FSDAX, RW);
	input.iova = 0x1000;
	input.iova_works = true;
	expect(PINREG_METHOD_STAGED, PINREG_REASON_STAGED_NO_ODP, 0);
	assert_int_equal(decide().iova, 0x1000);
	input.no_staging = true;
	refused(PINREG_REASON_IOVA, -EOPNOTSUPP);
	input.method = PINREG_METHOD_ODP;
	refused(PINREG_REASON_IOVA, -EOPNOTSUPP);
}

/* The kernel's rule for every registration; a shadow lies as the memory does. */
static void iova__at_another_place_in_the_page(void **state)
{
	(void)state;
	static const enum pinreg_method methods[] = { PINREG_METHOD_AUTO, PINREG_METHOD_PIN,
						      PINREG_METHOD_ODP, PINREG_METHOD_STAGED };
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		set(PINREG_KIND_ANON, RW);
		input.method = methods[i];
		input.iova_works = true;
		input.addr += 7;
		input.length -= 7;
		input.iova = 0x1008;
		refused(PINREG_REASON_IOVA, -EINVAL);
		struct pinreg_plan plan = decide();
		char text[256];
		pinreg_why_describe(&plan.why, text, sizeof(text));
		assert_string_equal(
			text, "the iova 0x1008 is at byte 8 of its page and the memory at "
			      "byte 7: both must be at the same place in pages of 4096 bytes");
		input.iova = 0x1007;
		assert_int_equal(decide().method == PINREG_METHOD_REFUSE,
				 methods[i] == PINREG_METHOD_ODP);
	}
	/* what is wrong with the memory comes first */
	set(PINREG_KIND_HOLE, RW);
	input.iova = 0x1001;
	refused(PINREG_REASON_HOLE, -EFAULT);
}

/* A limit has nothing to do with a kind, and a hole is one. */
static void why__no_kind_where_none_decided(void **state)
{
	(void)state;
	set(PINREG_KIND_ANON, RW);
	input.odp = 0;
	input.budget.limit = 0;
	refused(PINREG_REASON_BUDGET, -ENOMEM);
	assert_int_equal(decide().why.kind, PINREG_KIND_NONE);
	assert_string_equal(pinreg_kind_name(decide().why.kind), "none");
	input.max_mr_size = 1;
	refused(PINREG_REASON_TOO_LONG, -E2BIG);
	assert_int_equal(decide().why.kind, PINREG_KIND_NONE);
	runs[0].kind = PINREG_KIND_HOLE;
	refused(PINREG_REASON_HOLE, -EFAULT);
	assert_int_equal(decide().why.kind, PINREG_KIND_HOLE);
}

static void kinds__boundary_is_named(void **state)
{
	(void)state;
	set(PINREG_KIND_ANON, RW);
	set_second(PINREG_KIND_SHMEM);
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	assert_int_equal(decide().warnings, PINREG_WARN_MIXED_KINDS);
	input.single_kind = true;
	refused(PINREG_REASON_KINDS, -EXDEV);
	assert_int_equal(decide().why.addr, BASE + 8 * PAGE);
	assert_int_equal(decide().why.length, 8 * PAGE);
	assert_int_equal(decide().why.kind, PINREG_KIND_SHMEM);
	/* two mappings of one kind are no boundary; what is impossible comes first */
	runs[1].kind = PINREG_KIND_ANON;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	runs[1].kind = PINREG_KIND_HOLE;
	refused(PINREG_REASON_HOLE, -EFAULT);
}

static void private__file_in_dax_state_is_not_pinned(void **state)
{
	(void)state;
	set(PINREG_KIND_PRIVATE_FILE, RW);
	input.allow_private_file = true;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	assert_int_equal(decide().warnings, PINREG_WARN_PRIVATE_COPIES);
	runs[0].flags = PINREG_RUN_PRIVATE_DAX;
	expect(PINREG_METHOD_ODP, PINREG_REASON_ODP_FSDAX, 0);
	input.odp = 0;
	expect(PINREG_METHOD_STAGED, PINREG_REASON_STAGED_NO_ODP, 0);
	assert_int_equal(decide().warnings, PINREG_WARN_PRIVATE_COPIES | PINREG_WARN_MUST_COMMIT);
	input.allow_private_file = false;
	refused(PINREG_REASON_PRIVATE_FILE, -EINVAL);
}

static void past_end__of_every_kind_with_a_size(void **state)
{
	(void)state;
	static const enum pinreg_kind kinds[] = { PINREG_KIND_SHMEM, PINREG_KIND_HUGETLB,
						  PINREG_KIND_PAGECACHE, PINREG_KIND_FSDAX,
						  PINREG_KIND_DEVDAX };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		set(kinds[i], RW);
		runs[0].file_size = 0;
		refused(PINREG_REASON_PAST_END, -EFAULT);
		runs[0].file_size = 15 * PAGE;
		refused(PINREG_REASON_PAST_END, -EFAULT);
		assert_int_equal(decide().why.addr, BASE + 15 * PAGE);
		assert_int_equal(decide().why.length, PAGE);
		/* who may not look has to believe */
		runs[0].flags = PINREG_RUN_NO_SIZE;
		assert_int_not_equal(decide().method, PINREG_METHOD_REFUSE);
	}
	set(PINREG_KIND_ANON, RW);
	runs[0].file_size = 0;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
}

static void warning__of_what_odp_and_huge_pages_bring(void **state)
{
	(void)state;
	set(PINREG_KIND_FSDAX, RW);
	assert_int_equal(decide().warnings, PINREG_WARN_PATH_MTU);
	assert_int_equal(decide().why.mtu, 4096);
	input.trust.trust = PINREG_TRUST_PAGE;
	input.granularity = PINREG_GRANULARITY_PAGE;
	assert_int_equal(decide().warnings, PINREG_WARN_PATH_MTU | PINREG_WARN_WHOLE_PAGES);
	set(PINREG_KIND_HUGETLB, RW);
	runs[0].page_size = HUGE;
	assert_int_equal(decide().warnings, PINREG_WARN_HUGE_END);
	runs[0].length = input.length = runs[0].file_size = HUGE;
	assert_int_equal(decide().warnings, 0);
}

static void warning__every_one_has_a_name(void **state)
{
	(void)state;
	for (unsigned int bit = 1; bit <= PINREG_WARN_HUGE_END; bit <<= 1)
		assert_string_not_equal(pinreg_warning_name(bit), "?");
	assert_string_equal(pinreg_warning_name(PINREG_WARN_HUGE_END << 1), "?");
	assert_string_equal(pinreg_warning_name(0), "?");
	assert_string_equal(pinreg_warning_name(3), "?");
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(staged__counts_against_limits),
	cmocka_unit_test(staged__on_request_whatever_the_memory),
	cmocka_unit_test(staged__no_flush_to_persistence),
	cmocka_unit_test(flush__needs_device_and_memory),
	cmocka_unit_test(limit__odp_where_it_is_trusted),
	cmocka_unit_test(iova__another_one_needs_proof),
	cmocka_unit_test(iova__at_another_place_in_the_page),
	cmocka_unit_test(why__no_kind_where_none_decided),
	cmocka_unit_test(kinds__boundary_is_named),
	cmocka_unit_test(private__file_in_dax_state_is_not_pinned),
	cmocka_unit_test(past_end__of_every_kind_with_a_size),
	cmocka_unit_test(warning__of_what_odp_and_huge_pages_bring),
	cmocka_unit_test(warning__every_one_has_a_name),
};

TEST_MAIN(cases)
