/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy_limits.c -- shadows, budgets, other addresses, flushes, kinds that
 * meet, and what a plan says besides its method.
 */
#include <errno.h>
#include <string.h>

#include "support/scene.h"
#include "support/test.h"

#define HUGE (2u << 20)

static struct scene scene;

/* The second half of it is of another kind. */
static void set_second(enum pinreg_kind kind)
{
	scene.runs[1] = scene.runs[0];
	scene.runs[0].length = scene.runs[1].length = 8 * PAGE;
	scene.runs[1].addr += 8 * PAGE;
	scene.runs[1].kind = kind;
	scene.input.count = 2;
}

static void expect(enum pinreg_method method, enum pinreg_reason reason, int error)
{
	struct pinreg_plan plan = scene_decide(&scene);
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
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.odp = 0;
	struct pinreg_plan plan = scene_decide(&scene);
	assert_int_equal(plan.method, PINREG_METHOD_STAGED);
	assert_int_equal(plan.pin_bytes, 16 * PAGE);
	assert_int_equal(plan.iova, 0);
	assert_int_equal(plan.warnings, PINREG_WARN_MUST_COMMIT);
	assert_int_equal(plan.access, RW);
	scene.input.memlock = (struct pinreg_memlock){ .limit = 16 * PAGE, .used = 1 };
	refused(PINREG_REASON_MEMLOCK, -ENOMEM);
	scene.input.memlock.limit = UINT64_MAX;
	scene.input.budget = (struct pinreg_memlock){ .limit = 16 * PAGE - 1 };
	refused(PINREG_REASON_BUDGET, -ENOMEM);
}

static void staged__on_request_whatever_the_memory(void **state)
{
	(void)state;
	static const enum pinreg_kind kinds[] = { PINREG_KIND_ANON,    PINREG_KIND_SHMEM,
						  PINREG_KIND_HUGETLB, PINREG_KIND_PAGECACHE,
						  PINREG_KIND_FSDAX,   PINREG_KIND_DEVDAX };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		scene_set(&scene, kinds[i], PRW, RW);
		scene.input.method = PINREG_METHOD_STAGED;
		expect(PINREG_METHOD_STAGED, PINREG_REASON_STAGED_REQUESTED, 0);
		assert_int_equal(scene_decide(&scene).why.kind, kinds[i]);
	}
	scene_set(&scene, PINREG_KIND_SPECIAL, PRW, RW);
	scene.input.method = PINREG_METHOD_STAGED;
	refused(PINREG_REASON_SPECIAL, -EOPNOTSUPP);
}

/* The shadow is no persistent memory, whatever the home is. */
static void staged__no_flush_to_persistence(void **state)
{
	(void)state;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW | PINREG_ACCESS_FLUSH_PERSISTENT);
	expect(PINREG_METHOD_ODP, PINREG_REASON_ODP_FSDAX, 0);
	scene.input.odp = 0;
	refused(PINREG_REASON_FLUSH_NOT_PMEM, -EINVAL);
	scene.input.access = RW | PINREG_ACCESS_FLUSH_GLOBAL;
	expect(PINREG_METHOD_STAGED, PINREG_REASON_STAGED_NO_ODP, 0);
}

static void flush__needs_device_and_memory(void **state)
{
	(void)state;
	scene_set(&scene, PINREG_KIND_DEVDAX, PRW,
		  RW | PINREG_ACCESS_FLUSH_GLOBAL | PINREG_ACCESS_FLUSH_PERSISTENT);
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	scene.input.flush_persistent = false;
	refused(PINREG_REASON_FLUSH_MISSING, -EOPNOTSUPP);
	assert_int_equal(scene_decide(&scene).why.wanted, PINREG_ACCESS_FLUSH_PERSISTENT);
	scene.input.flush_global = false;
	assert_int_equal(scene_decide(&scene).why.wanted,
			 PINREG_ACCESS_FLUSH_PERSISTENT | PINREG_ACCESS_FLUSH_GLOBAL);
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW | PINREG_ACCESS_FLUSH_PERSISTENT);
	refused(PINREG_REASON_FLUSH_NOT_PMEM, -EINVAL);
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW | PINREG_ACCESS_FLUSH_GLOBAL);
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
}

static void limit__odp_where_it_is_trusted(void **state)
{
	(void)state;
	struct pinreg_memlock tight = { .limit = 20 * PAGE, .used = 5 * PAGE };
	for (int budget = 0; budget < 2; budget++) {
		scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
		*(budget ? &scene.input.budget : &scene.input.memlock) = tight;
		expect(PINREG_METHOD_ODP, PINREG_REASON_ODP_LIMIT, 0);
		struct pinreg_plan plan = scene_decide(&scene);
		assert_int_equal(plan.why.used, 5 * PAGE);
		assert_int_equal(plan.why.limit, 20 * PAGE);
		assert_int_equal(plan.why.wanted, 16 * PAGE);
		assert_int_equal(plan.pin_bytes, 0);
		scene.input.trust.trust = PINREG_TRUST_UNTESTED;
		refused(PINREG_REASON_ODP_UNTESTED, -EOPNOTSUPP);
		/* the limit is what the caller hears, and not that ODP is no way out */
		scene.input.trust.trust = PINREG_TRUST_PAGE;
		refused(budget ? PINREG_REASON_BUDGET : PINREG_REASON_MEMLOCK, -ENOMEM);
		assert_int_equal(scene_decide(&scene).why.wanted, 16 * PAGE);
		scene.input.granularity = PINREG_GRANULARITY_PAGE;
		expect(PINREG_METHOD_ODP, PINREG_REASON_ODP_LIMIT, 0);
		/* who insists on a pin gets none */
		scene.input.method = PINREG_METHOD_PIN;
		refused(budget ? PINREG_REASON_BUDGET : PINREG_REASON_MEMLOCK, -ENOMEM);
	}
}

static void iova__another_one_needs_proof(void **state)
{
	(void)state;
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.input.iova = BASE;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	scene.input.iova = 0x1000;
	refused(PINREG_REASON_IOVA, -EOPNOTSUPP);
	assert_int_equal(scene_decide(&scene).why.addr, 0x1000);
	scene.input.iova_works = true;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	assert_int_equal(scene_decide(&scene).iova, 0x1000);
	/* ODP never has one; a shadow does */
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.iova = 0x1000;
	scene.input.iova_works = true;
	expect(PINREG_METHOD_STAGED, PINREG_REASON_STAGED_NO_ODP, 0);
	assert_int_equal(scene_decide(&scene).iova, 0x1000);
	scene.input.no_staging = true;
	refused(PINREG_REASON_IOVA, -EOPNOTSUPP);
	scene.input.method = PINREG_METHOD_ODP;
	refused(PINREG_REASON_IOVA, -EOPNOTSUPP);
}

/* The kernel's rule for every registration; a shadow lies as the memory does. */
static void iova__at_another_place_in_the_page(void **state)
{
	(void)state;
	static const enum pinreg_method methods[] = { PINREG_METHOD_AUTO, PINREG_METHOD_PIN,
						      PINREG_METHOD_ODP, PINREG_METHOD_STAGED };
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
		scene.input.method = methods[i];
		scene.input.iova_works = true;
		scene.input.addr += 7;
		scene.input.length -= 7;
		scene.input.iova = 0x1008;
		refused(PINREG_REASON_IOVA, -EINVAL);
		struct pinreg_plan plan = scene_decide(&scene);
		char text[256];
		pinreg_why_describe(&plan.why, text, sizeof(text));
		assert_string_equal(
			text, "the iova 0x1008 is at byte 8 of its page and the memory at "
			      "byte 7: both must be at the same place in pages of 4096 bytes");
		scene.input.iova = 0x1007;
		assert_int_equal(scene_decide(&scene).method == PINREG_METHOD_REFUSE,
				 methods[i] == PINREG_METHOD_ODP);
	}
	/* what is wrong with the memory comes first */
	scene_set(&scene, PINREG_KIND_HOLE, PRW, RW);
	scene.input.iova = 0x1001;
	refused(PINREG_REASON_HOLE, -EFAULT);
}

/* A limit has nothing to do with a kind, and a hole is one. */
static void why__no_kind_where_none_decided(void **state)
{
	(void)state;
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.input.odp = 0;
	scene.input.budget.limit = 0;
	refused(PINREG_REASON_BUDGET, -ENOMEM);
	assert_int_equal(scene_decide(&scene).why.kind, PINREG_KIND_NONE);
	assert_string_equal(pinreg_kind_name(scene_decide(&scene).why.kind), "none");
	scene.input.max_mr_size = 1;
	refused(PINREG_REASON_TOO_LONG, -E2BIG);
	assert_int_equal(scene_decide(&scene).why.kind, PINREG_KIND_NONE);
	scene.runs[0].kind = PINREG_KIND_HOLE;
	refused(PINREG_REASON_HOLE, -EFAULT);
	assert_int_equal(scene_decide(&scene).why.kind, PINREG_KIND_HOLE);
}

static void kinds__boundary_is_named(void **state)
{
	(void)state;
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	set_second(PINREG_KIND_SHMEM);
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	assert_int_equal(scene_decide(&scene).warnings, PINREG_WARN_MIXED_KINDS);
	scene.input.single_kind = true;
	refused(PINREG_REASON_KINDS, -EXDEV);
	assert_int_equal(scene_decide(&scene).why.addr, BASE + 8 * PAGE);
	assert_int_equal(scene_decide(&scene).why.length, 8 * PAGE);
	assert_int_equal(scene_decide(&scene).why.kind, PINREG_KIND_SHMEM);
	/* two mappings of one kind are no boundary; what is impossible comes first */
	scene.runs[1].kind = PINREG_KIND_ANON;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	scene.runs[1].kind = PINREG_KIND_HOLE;
	refused(PINREG_REASON_HOLE, -EFAULT);
}

static void private__file_in_dax_state_is_not_pinned(void **state)
{
	(void)state;
	scene_set(&scene, PINREG_KIND_PRIVATE_FILE, PRW, RW);
	scene.input.allow_private_file = true;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
	assert_int_equal(scene_decide(&scene).warnings, PINREG_WARN_PRIVATE_COPIES);
	scene.runs[0].flags = PINREG_RUN_PRIVATE_DAX;
	expect(PINREG_METHOD_ODP, PINREG_REASON_ODP_FSDAX, 0);
	scene.input.odp = 0;
	expect(PINREG_METHOD_STAGED, PINREG_REASON_STAGED_NO_ODP, 0);
	assert_int_equal(scene_decide(&scene).warnings,
			 PINREG_WARN_PRIVATE_COPIES | PINREG_WARN_MUST_COMMIT);
	scene.input.allow_private_file = false;
	refused(PINREG_REASON_PRIVATE_FILE, -EINVAL);
}

static void past_end__of_every_kind_with_a_size(void **state)
{
	(void)state;
	static const enum pinreg_kind kinds[] = { PINREG_KIND_SHMEM, PINREG_KIND_HUGETLB,
						  PINREG_KIND_PAGECACHE, PINREG_KIND_FSDAX,
						  PINREG_KIND_DEVDAX };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		scene_set(&scene, kinds[i], PRW, RW);
		scene.runs[0].file_size = 0;
		refused(PINREG_REASON_PAST_END, -EFAULT);
		scene.runs[0].file_size = 15 * PAGE;
		refused(PINREG_REASON_PAST_END, -EFAULT);
		assert_int_equal(scene_decide(&scene).why.addr, BASE + 15 * PAGE);
		assert_int_equal(scene_decide(&scene).why.length, PAGE);
		/* who may not look has to believe */
		scene.runs[0].flags = PINREG_RUN_NO_SIZE;
		assert_int_not_equal(scene_decide(&scene).method, PINREG_METHOD_REFUSE);
	}
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.runs[0].file_size = 0;
	expect(PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0);
}

static void warning__of_what_odp_and_huge_pages_bring(void **state)
{
	(void)state;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	assert_int_equal(scene_decide(&scene).warnings, PINREG_WARN_PATH_MTU);
	assert_int_equal(scene_decide(&scene).why.mtu, 4096);
	scene.input.trust.trust = PINREG_TRUST_PAGE;
	scene.input.granularity = PINREG_GRANULARITY_PAGE;
	assert_int_equal(scene_decide(&scene).warnings,
			 PINREG_WARN_PATH_MTU | PINREG_WARN_WHOLE_PAGES);
	scene_set(&scene, PINREG_KIND_HUGETLB, PRW, RW);
	scene.runs[0].page_size = HUGE;
	assert_int_equal(scene_decide(&scene).warnings, PINREG_WARN_HUGE_END);
	scene.runs[0].length = scene.input.length = scene.runs[0].file_size = HUGE;
	assert_int_equal(scene_decide(&scene).warnings, 0);
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
