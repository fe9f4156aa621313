/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy.c -- the decision for every kind, access and capability.
 */
#include <errno.h>
#include <string.h>

#include "plan/policy.h"
#include "support/test.h"

#define RW (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
#define RO IBV_ACCESS_REMOTE_READ
#define PRW (PINREG_PROT_READ | PINREG_PROT_WRITE)
#define PR PINREG_PROT_READ
#define PAGE 4096u
#define BASE 0x7f0000000000u
#define ODP_ALL                                                                                    \
	(IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV | IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ)

/* One run of 16 pages on a device that can do everything and is trusted. */
struct scene {
	struct pinreg_run runs[3];
	struct pinreg_policy_input input;
};

static void scene_set(struct scene *scene, enum pinreg_kind kind, unsigned int prot,
		      unsigned int access)
{
	memset(scene, 0, sizeof(*scene));
	scene->runs[0] = (struct pinreg_run){
		.size = sizeof(struct pinreg_run),
		.addr = BASE,
		.length = 16 * PAGE,
		.kind = kind,
		.prot = prot,
		.page_size = PAGE,
		.file_size = 16 * PAGE,
	};
	scene->input = (struct pinreg_policy_input){
		.addr = BASE,
		.length = 16 * PAGE,
		.runs = scene->runs,
		.count = 1,
		.page_size = PAGE,
		.access = access,
		.odp = IBV_ODP_SUPPORT,
		.odp_rc = ODP_ALL,
		.max_mr_size = UINT64_MAX,
		.memlock = { .limit = UINT64_MAX },
		.budget = { .limit = UINT64_MAX },
		.trust = { .trust = PINREG_TRUST_FULL, .mtu = 4096 },
	};
}

static struct pinreg_plan decide(const struct scene *scene)
{
	struct pinreg_plan plan = { .size = sizeof(plan) };
	pinreg_policy_decide(&scene->input, &plan);
	return plan;
}

static void policy__table_of_kinds(void **state)
{
	(void)state;
	static const struct {
		enum pinreg_kind kind;
		unsigned int prot, access;
		enum pinreg_method method;
		enum pinreg_reason reason;
		int error;
	} rows[] = {
		{ PINREG_KIND_ANON, PRW, RW, PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0 },
		{ PINREG_KIND_ANON, PRW, RO, PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0 },
		{ PINREG_KIND_ANON, PR, RO, PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0 },
		{ PINREG_KIND_ANON, PR, RW, PINREG_METHOD_REFUSE, PINREG_REASON_PROTECTION,
		  -EACCES },
		{ PINREG_KIND_ANON, 0, RO, PINREG_METHOD_REFUSE, PINREG_REASON_PROTECTION,
		  -EACCES },
		{ PINREG_KIND_SHMEM, PRW, RW, PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0 },
		{ PINREG_KIND_HUGETLB, PRW, RW, PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0 },
		{ PINREG_KIND_DEVDAX, PRW, RW, PINREG_METHOD_PIN, PINREG_REASON_PIN_MEMORY, 0 },
		{ PINREG_KIND_PAGECACHE, PRW, RW, PINREG_METHOD_ODP, PINREG_REASON_ODP_PAGECACHE,
		  0 },
		{ PINREG_KIND_PAGECACHE, PRW, RO, PINREG_METHOD_PIN, PINREG_REASON_PIN_READ_ONLY,
		  0 },
		{ PINREG_KIND_PAGECACHE, PR, RO, PINREG_METHOD_PIN, PINREG_REASON_PIN_READ_ONLY,
		  0 },
		{ PINREG_KIND_PAGECACHE, PR, RW, PINREG_METHOD_REFUSE, PINREG_REASON_PROTECTION,
		  -EACCES },
		{ PINREG_KIND_FSDAX, PRW, RW, PINREG_METHOD_ODP, PINREG_REASON_ODP_FSDAX, 0 },
		{ PINREG_KIND_FSDAX, PR, RO, PINREG_METHOD_ODP, PINREG_REASON_ODP_FSDAX, 0 },
		{ PINREG_KIND_PRIVATE_FILE, PRW, RW, PINREG_METHOD_REFUSE,
		  PINREG_REASON_PRIVATE_FILE, -EINVAL },
		{ PINREG_KIND_SPECIAL, PRW, RW, PINREG_METHOD_REFUSE, PINREG_REASON_SPECIAL,
		  -EOPNOTSUPP },
		{ PINREG_KIND_UNKNOWN_FILE, PRW, RW, PINREG_METHOD_REFUSE,
		  PINREG_REASON_UNKNOWN_FILE, -EOPNOTSUPP },
		{ PINREG_KIND_HOLE, 0, RW, PINREG_METHOD_REFUSE, PINREG_REASON_HOLE, -EFAULT },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene scene;
		scene_set(&scene, rows[i].kind, rows[i].prot, rows[i].access);
		struct pinreg_plan plan = decide(&scene);
		if (plan.method != rows[i].method || plan.why.reason != rows[i].reason ||
		    plan.why.error != rows[i].error)
			fail_msg("row %zu (%s): %s, %s, %d", i, pinreg_kind_name(rows[i].kind),
				 pinreg_method_name(plan.method),
				 pinreg_reason_name(plan.why.reason), plan.why.error);
		bool odp = plan.access & IBV_ACCESS_ON_DEMAND;
		assert_int_equal(odp, rows[i].method == PINREG_METHOD_ODP);
		assert_int_equal(plan.access & ~(unsigned int)IBV_ACCESS_ON_DEMAND, rows[i].access);
	}
}

static void policy__private_file_allowed_is_pinned(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_PRIVATE_FILE, PRW, RW);
	scene.input.allow_private_file = true;
	assert_int_equal(decide(&scene).method, PINREG_METHOD_PIN);
}

static void policy__one_dax_run_decides_for_all(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.runs[0].length = 8 * PAGE;
	scene.runs[1] = scene.runs[0];
	scene.runs[1].addr = BASE + 8 * PAGE;
	scene.runs[1].kind = PINREG_KIND_FSDAX;
	scene.input.count = 2;
	struct pinreg_plan plan = decide(&scene);
	assert_int_equal(plan.method, PINREG_METHOD_ODP);
	assert_int_equal(plan.why.kind, PINREG_KIND_FSDAX);
}

static void policy__hole_is_named_exactly(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.runs[0].length = 3 * PAGE;
	scene.runs[1] = (struct pinreg_run){
		.addr = BASE + 3 * PAGE,
		.length = 2 * PAGE,
		.kind = PINREG_KIND_HOLE,
	};
	scene.runs[2] = scene.runs[0];
	scene.runs[2].addr = BASE + 5 * PAGE;
	scene.input.count = 3;
	struct pinreg_plan plan = decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_HOLE);
	assert_int_equal(plan.why.addr, BASE + 3 * PAGE);
	assert_int_equal(plan.why.length, 2 * PAGE);
	assert_int_equal(plan.why.kind, PINREG_KIND_HOLE);
	char text[256];
	assert_true(pinreg_why_describe(&plan.why, text, sizeof(text)) > 0);
	assert_string_equal(text, "nothing is mapped at 0x7f0000003000-0x7f0000005000");
}

static void policy__trust_against_granularity(void **state)
{
	(void)state;
	static const struct {
		enum pinreg_trust trust;
		enum pinreg_granularity granularity;
		enum pinreg_reason reason;	/* with no_staging */
		enum pinreg_reason with_shadow; /* without */
	} rows[] = {
		{ PINREG_TRUST_UNTESTED, PINREG_GRANULARITY_PAGE, PINREG_REASON_ODP_UNTESTED,
		  PINREG_REASON_ODP_UNTESTED },
		{ PINREG_TRUST_NONE, PINREG_GRANULARITY_PAGE, PINREG_REASON_ODP_UNTRUSTED,
		  PINREG_REASON_STAGED_UNTRUSTED },
		{ PINREG_TRUST_NONE, PINREG_GRANULARITY_BYTE, PINREG_REASON_ODP_UNTRUSTED,
		  PINREG_REASON_STAGED_UNTRUSTED },
		{ PINREG_TRUST_PAGE, PINREG_GRANULARITY_BYTE, PINREG_REASON_ODP_GRANULARITY,
		  PINREG_REASON_STAGED_GRANULARITY },
		{ PINREG_TRUST_PAGE, PINREG_GRANULARITY_PAGE, PINREG_REASON_ODP_FSDAX,
		  PINREG_REASON_ODP_FSDAX },
		{ PINREG_TRUST_FULL, PINREG_GRANULARITY_BYTE, PINREG_REASON_ODP_FSDAX,
		  PINREG_REASON_ODP_FSDAX },
		{ PINREG_TRUST_FULL, PINREG_GRANULARITY_PAGE, PINREG_REASON_ODP_FSDAX,
		  PINREG_REASON_ODP_FSDAX },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene scene;
		scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
		scene.input.trust.trust = rows[i].trust;
		scene.input.granularity = rows[i].granularity;
		assert_int_equal(decide(&scene).why.reason, rows[i].with_shadow);
		scene.input.no_staging = true;
		assert_int_equal(decide(&scene).why.reason, rows[i].reason);
	}
}

static void policy__no_odp_on_device(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.odp = 0;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_STAGED_NO_ODP);
	scene.input.no_staging = true;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_ODP_MISSING);
	/* the operation asked for is what counts */
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.odp_rc = IBV_ODP_SUPPORT_READ;
	scene.input.no_staging = true;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_ODP_MISSING);
	scene.input.access = RO;
	assert_int_equal(decide(&scene).method, PINREG_METHOD_ODP);
}

static void policy__atomics_need_more_than_page_trust(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW | IBV_ACCESS_REMOTE_ATOMIC);
	scene.input.no_staging = true;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_ODP_MISSING);
	scene.input.odp_rc |= IBV_ODP_SUPPORT_ATOMIC;
	scene.input.trust.trust = PINREG_TRUST_PAGE;
	scene.input.granularity = PINREG_GRANULARITY_PAGE;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_ODP_GRANULARITY);
}

static void policy__atomics_need_a_proof(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW | IBV_ACCESS_REMOTE_ATOMIC);
	scene.input.odp_rc |= IBV_ODP_SUPPORT_ATOMIC;
	/* nothing was tested: it is the caller's word */
	assert_int_equal(decide(&scene).method, PINREG_METHOD_ODP);
	scene.input.trust.cases = 50;
	struct pinreg_plan plan = decide(&scene);
	assert_int_equal(plan.method, PINREG_METHOD_STAGED);
	assert_int_equal(plan.why.reason, PINREG_REASON_STAGED_ATOMICS);
	scene.input.no_staging = true;
	plan = decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_ODP_ATOMICS);
	assert_int_equal(plan.why.error, -EOPNOTSUPP);
	char text[256];
	pinreg_why_describe(&plan.why, text, sizeof(text));
	assert_non_null(strstr(text, "no atomic operation on it could be tested"));
	scene.input.trust.atomics = 36;
	assert_int_equal(decide(&scene).method, PINREG_METHOD_ODP);
	scene.input.trust.atomics_wrong = 3;
	plan = decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_ODP_ATOMICS);
	pinreg_why_describe(&plan.why, text, sizeof(text));
	assert_non_null(strstr(text, "found 3 atomic operations on it wrong"));
	/* who asks for none is not concerned */
	scene.input.access = RW;
	assert_int_equal(decide(&scene).method, PINREG_METHOD_ODP);
}

static void policy__method_insisted_on(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.method = PINREG_METHOD_PIN;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_PIN_IMPOSSIBLE);
	scene.input.method = PINREG_METHOD_STAGED;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_STAGED_REQUESTED);
	scene.input.method = PINREG_METHOD_DMABUF;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_METHOD_UNAVAILABLE);
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.input.method = PINREG_METHOD_ODP;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_ODP_REQUESTED);
}

static void policy__memlock_counts_whole_pages(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.input.odp = 0;
	scene.input.addr = BASE + 4095; /* 2 bytes on 2 pages */
	scene.input.length = 2;
	scene.input.memlock = (struct pinreg_memlock){ .limit = 3 * PAGE, .used = PAGE };
	assert_int_equal(decide(&scene).method, PINREG_METHOD_PIN);
	scene.input.memlock.used = PAGE + 1;
	struct pinreg_plan plan = decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_MEMLOCK);
	assert_int_equal(plan.why.error, -ENOMEM);
	assert_int_equal(plan.why.wanted, 2 * PAGE);
	char text[256];
	pinreg_why_describe(&plan.why, text, sizeof(text));
	assert_non_null(strstr(text, "12288"));
	assert_non_null(strstr(text, "4097"));
	assert_non_null(strstr(text, "8192"));
	scene.input.memlock.limit = 0;
	assert_int_equal(decide(&scene).why.error, -EPERM);
}

static void policy__memlock_does_not_bind_odp(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.memlock.limit = 0;
	assert_int_equal(decide(&scene).method, PINREG_METHOD_ODP);
}

static void policy__longer_than_the_device_allows(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.input.max_mr_size = 16 * PAGE;
	assert_int_equal(decide(&scene).method, PINREG_METHOD_PIN);
	scene.input.max_mr_size--;
	struct pinreg_plan plan = decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_TOO_LONG);
	assert_int_equal(plan.why.error, -E2BIG);
}

static void policy__past_the_end_of_a_file(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.runs[0].file_offset = 4 * PAGE;
	scene.runs[0].file_size = 10 * PAGE + 1; /* its page is there */
	struct pinreg_plan plan = decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_PAST_END);
	assert_int_equal(plan.why.error, -EFAULT);
	assert_int_equal(plan.why.addr, BASE + 7 * PAGE);
	assert_int_equal(plan.why.length, 9 * PAGE);
	scene.runs[0].file_size = 0;
	plan = decide(&scene);
	assert_int_equal(plan.why.addr, BASE);
	assert_int_equal(plan.why.length, 16 * PAGE);
}

static void policy__page_granularity_needs_whole_pages(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.granularity = PINREG_GRANULARITY_PAGE;
	scene.input.length = 100;
	scene.runs[0].length = 100;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_UNALIGNED);
}

static void policy__options_that_contradict(void **state)
{
	(void)state;
	static const struct pinreg_region_opts bad[] = {
		{ .access = IBV_ACCESS_ON_DEMAND | IBV_ACCESS_LOCAL_WRITE },
		{ .access = IBV_ACCESS_ZERO_BASED },
		{ .access = IBV_ACCESS_REMOTE_WRITE },
		{ .access = 1u << 30 },
		{ .access = IBV_ACCESS_LOCAL_WRITE, .read_only = 1 },
		{ .method = PINREG_METHOD_REFUSE },
		{ .granularity = (enum pinreg_granularity)2 },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pinreg_policy_input input = { 0 };
		struct pinreg_why why = { 0 };
		assert_int_equal(pinreg_policy_options(&bad[i], &input, &why), -EINVAL);
		assert_int_equal(why.reason, PINREG_REASON_BAD_OPTION);
	}
	struct pinreg_region_opts none = { 0 };
	struct pinreg_policy_input input = { 0 };
	assert_int_equal(pinreg_policy_options(&none, &input, NULL), 0);
	assert_int_equal(input.access, RW);
	none.read_only = 1;
	assert_int_equal(pinreg_policy_options(&none, &input, NULL), 0);
	assert_int_equal(input.access, RO);
}

static void policy__shared_read_only_that_the_kernel_refuses(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_SHMEM, PR, RO);
	scene.runs[0].flags = PINREG_RUN_SHARED;
	assert_int_equal(decide(&scene).method, PINREG_METHOD_PIN);
	scene.input.read_only_fails = true;
	assert_int_equal(decide(&scene).method, PINREG_METHOD_ODP);
	scene.input.odp = 0;
	assert_int_equal(decide(&scene).why.reason, PINREG_REASON_STAGED_NO_ODP);
	scene.runs[0].flags = 0; /* of private memory there is no such thing */
	assert_int_equal(decide(&scene).method, PINREG_METHOD_PIN);
}

static void policy__ranges_that_are_none(void **state)
{
	(void)state;
	struct pinreg_why why;
	assert_int_equal(pinreg_policy_range(0, 4096, &why), -EINVAL);
	assert_int_equal(pinreg_policy_range(4096, 0, &why), -EINVAL);
	assert_int_equal(pinreg_policy_range(UINT64_MAX - 10, 100, &why), -EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_BAD_RANGE);
	assert_int_equal(pinreg_policy_range(4096, 1, NULL), 0);
}

static void describe__every_reason_has_name_and_sentence(void **state)
{
	(void)state;
	unsigned int named = 0;
	for (unsigned int reason = 1; reason < 300; reason++) {
		if (!strcmp(pinreg_reason_name(reason), "?"))
			continue;
		named++;
		struct pinreg_why why = { .reason = reason, .os_error = EIO };
		char text[512];
		int length = pinreg_why_describe(&why, text, sizeof(text));
		assert_true(length > 20 && (size_t)length < sizeof(text));
		assert_int_equal(strlen(text), length);
		/* a short buffer gets the beginning, and the whole length is told */
		char start[8];
		assert_int_equal(pinreg_why_describe(&why, start, sizeof(start)), length);
		assert_memory_equal(start, text, 7);
	}
	assert_int_equal(named, 54);
	assert_int_equal(pinreg_why_describe(NULL, NULL, 0), -EINVAL);
	struct pinreg_why why = { .reason = PINREG_REASON_HOLE };
	assert_int_equal(pinreg_why_describe(&why, NULL, 5), -EINVAL);
	assert_true(pinreg_why_describe(&why, NULL, 0) > 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(policy__table_of_kinds),
	cmocka_unit_test(policy__private_file_allowed_is_pinned),
	cmocka_unit_test(policy__one_dax_run_decides_for_all),
	cmocka_unit_test(policy__hole_is_named_exactly),
	cmocka_unit_test(policy__trust_against_granularity),
	cmocka_unit_test(policy__no_odp_on_device),
	cmocka_unit_test(policy__atomics_need_more_than_page_trust),
	cmocka_unit_test(policy__atomics_need_a_proof),
	cmocka_unit_test(policy__method_insisted_on),
	cmocka_unit_test(policy__memlock_counts_whole_pages),
	cmocka_unit_test(policy__memlock_does_not_bind_odp),
	cmocka_unit_test(policy__longer_than_the_device_allows),
	cmocka_unit_test(policy__past_the_end_of_a_file),
	cmocka_unit_test(policy__page_granularity_needs_whole_pages),
	cmocka_unit_test(policy__options_that_contradict),
	cmocka_unit_test(policy__shared_read_only_that_the_kernel_refuses),
	cmocka_unit_test(policy__ranges_that_are_none),
	cmocka_unit_test(describe__every_reason_has_name_and_sentence),
};

TEST_MAIN(cases)
