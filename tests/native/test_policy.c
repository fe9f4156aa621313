/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy.c -- the decision for every kind, access and capability.
 */
#include <errno.h>
#include <string.h>

#include "support/scene.h"
#include "support/test.h"

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
		struct pinreg_plan plan = scene_decide(&scene);
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
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_PIN);
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
	struct pinreg_plan plan = scene_decide(&scene);
	assert_int_equal(plan.method, PINREG_METHOD_ODP);
	assert_int_equal(plan.why.kind, PINREG_KIND_FSDAX);
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
		assert_int_equal(scene_decide(&scene).why.reason, rows[i].with_shadow);
		scene.input.no_staging = true;
		assert_int_equal(scene_decide(&scene).why.reason, rows[i].reason);
	}
}

static void policy__no_odp_on_device(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.odp = 0;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_STAGED_NO_ODP);
	scene.input.no_staging = true;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_ODP_MISSING);
	/* the operation asked for is what counts */
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.odp_rc = IBV_ODP_SUPPORT_READ;
	scene.input.no_staging = true;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_ODP_MISSING);
	scene.input.access = RO;
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_ODP);
}

/* Each is tested apart: whole pages for transfers, and atomics. */
static void policy__atomics_and_page_trust(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW | IBV_ACCESS_REMOTE_ATOMIC);
	scene.input.no_staging = true;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_ODP_MISSING);
	scene.input.odp_rc |= IBV_ODP_SUPPORT_ATOMIC;
	scene.input.trust.trust = PINREG_TRUST_PAGE;
	scene.input.granularity = PINREG_GRANULARITY_PAGE;
	/* somebody's word for whole pages is none for atomics */
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_ODP_ATOMICS);
	scene.input.trust.cases = 50;
	scene.input.trust.atomics = 36;
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_ODP);
	scene.input.granularity = PINREG_GRANULARITY_BYTE;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_ODP_GRANULARITY);
}

static void policy__atomics_need_a_proof(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW | IBV_ACCESS_REMOTE_ATOMIC);
	scene.input.odp_rc |= IBV_ODP_SUPPORT_ATOMIC;
	/* nothing was tested: it is the caller's word */
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_ODP);
	scene.input.trust.cases = 50;
	struct pinreg_plan plan = scene_decide(&scene);
	assert_int_equal(plan.method, PINREG_METHOD_STAGED);
	assert_int_equal(plan.why.reason, PINREG_REASON_STAGED_ATOMICS);
	scene.input.no_staging = true;
	plan = scene_decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_ODP_ATOMICS);
	assert_int_equal(plan.why.error, -EOPNOTSUPP);
	char text[256];
	pinreg_why_describe(&plan.why, text, sizeof(text));
	assert_non_null(strstr(text, "no atomic operation on it could be tested"));
	scene.input.trust.atomics = 36;
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_ODP);
	scene.input.trust.atomics_wrong = 3;
	plan = scene_decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_ODP_ATOMICS);
	pinreg_why_describe(&plan.why, text, sizeof(text));
	assert_non_null(strstr(text, "found 3 atomic operations on it wrong"));
	/* who asks for none is not concerned */
	scene.input.access = RW;
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_ODP);
}

static void policy__method_insisted_on(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.method = PINREG_METHOD_PIN;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_PIN_IMPOSSIBLE);
	scene.input.method = PINREG_METHOD_STAGED;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_STAGED_REQUESTED);
	scene.input.method = PINREG_METHOD_DMABUF;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_METHOD_UNAVAILABLE);
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.input.method = PINREG_METHOD_ODP;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_ODP_REQUESTED);
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
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_PIN);
	scene.input.memlock.used = PAGE + 1;
	struct pinreg_plan plan = scene_decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_MEMLOCK);
	assert_int_equal(plan.why.error, -ENOMEM);
	assert_int_equal(plan.why.wanted, 2 * PAGE);
	char text[256];
	pinreg_why_describe(&plan.why, text, sizeof(text));
	assert_non_null(strstr(text, "12288"));
	assert_non_null(strstr(text, "4097"));
	assert_non_null(strstr(text, "8192"));
	scene.input.memlock.limit = 0;
	assert_int_equal(scene_decide(&scene).why.error, -EPERM);
}

static void policy__memlock_does_not_bind_odp(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.memlock.limit = 0;
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_ODP);
}

static void policy__shared_read_only_that_the_kernel_refuses(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_SHMEM, PR, RO);
	scene.runs[0].flags = PINREG_RUN_SHARED;
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_PIN);
	scene.input.read_only_fails = true;
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_ODP);
	scene.input.odp = 0;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_STAGED_NO_ODP);
	scene.runs[0].flags = 0; /* of private memory there is no such thing */
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_PIN);
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
	assert_int_equal(named, 66);
	assert_int_equal(pinreg_why_describe(NULL, NULL, 0), -EINVAL);
	struct pinreg_why why = { .reason = PINREG_REASON_HOLE };
	assert_int_equal(pinreg_why_describe(&why, NULL, 5), -EINVAL);
	assert_true(pinreg_why_describe(&why, NULL, 0) > 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(policy__table_of_kinds),
	cmocka_unit_test(policy__private_file_allowed_is_pinned),
	cmocka_unit_test(policy__one_dax_run_decides_for_all),
	cmocka_unit_test(policy__trust_against_granularity),
	cmocka_unit_test(policy__no_odp_on_device),
	cmocka_unit_test(policy__atomics_and_page_trust),
	cmocka_unit_test(policy__atomics_need_a_proof),
	cmocka_unit_test(policy__method_insisted_on),
	cmocka_unit_test(policy__memlock_counts_whole_pages),
	cmocka_unit_test(policy__memlock_does_not_bind_odp),
	cmocka_unit_test(policy__shared_read_only_that_the_kernel_refuses),
	cmocka_unit_test(describe__every_reason_has_name_and_sentence),
};

TEST_MAIN(cases)
