/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_possible.c -- what no method can do, and requests that contradict themselves.
 */
#include <errno.h>

#include "support/scene.h"
#include "support/test.h"

static void possible__hole_is_named_exactly(void **state)
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
	struct pinreg_plan plan = scene_decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_HOLE);
	assert_int_equal(plan.why.addr, BASE + 3 * PAGE);
	assert_int_equal(plan.why.length, 2 * PAGE);
	assert_int_equal(plan.why.kind, PINREG_KIND_HOLE);
	char text[256];
	assert_true(pinreg_why_describe(&plan.why, text, sizeof(text)) > 0);
	assert_string_equal(text, "nothing is mapped at 0x7f0000003000-0x7f0000005000");
}

static void possible__past_the_end_of_a_file(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.runs[0].file_offset = 4 * PAGE;
	scene.runs[0].file_size = 10 * PAGE + 1; /* its page is there */
	struct pinreg_plan plan = scene_decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_PAST_END);
	assert_int_equal(plan.why.error, -EFAULT);
	assert_int_equal(plan.why.addr, BASE + 7 * PAGE);
	assert_int_equal(plan.why.length, 9 * PAGE);
	scene.runs[0].file_size = 0;
	plan = scene_decide(&scene);
	assert_int_equal(plan.why.addr, BASE);
	assert_int_equal(plan.why.length, 16 * PAGE);
}

static void possible__longer_than_the_device_allows(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_ANON, PRW, RW);
	scene.input.max_mr_size = 16 * PAGE;
	assert_int_equal(scene_decide(&scene).method, PINREG_METHOD_PIN);
	scene.input.max_mr_size--;
	struct pinreg_plan plan = scene_decide(&scene);
	assert_int_equal(plan.why.reason, PINREG_REASON_TOO_LONG);
	assert_int_equal(plan.why.error, -E2BIG);
}

static void possible__page_granularity_needs_whole_pages(void **state)
{
	(void)state;
	struct scene scene;
	scene_set(&scene, PINREG_KIND_FSDAX, PRW, RW);
	scene.input.granularity = PINREG_GRANULARITY_PAGE;
	scene.input.length = 100;
	scene.runs[0].length = 100;
	assert_int_equal(scene_decide(&scene).why.reason, PINREG_REASON_UNALIGNED);
}

static void request__options_that_contradict(void **state)
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

static void request__ranges_that_are_none(void **state)
{
	(void)state;
	struct pinreg_why why;
	assert_int_equal(pinreg_policy_range(0, 4096, &why), -EINVAL);
	assert_int_equal(pinreg_policy_range(4096, 0, &why), -EINVAL);
	assert_int_equal(pinreg_policy_range(UINT64_MAX - 10, 100, &why), -EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_BAD_RANGE);
	assert_int_equal(pinreg_policy_range(4096, 1, NULL), 0);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(possible__hole_is_named_exactly),
	cmocka_unit_test(possible__past_the_end_of_a_file),
	cmocka_unit_test(possible__longer_than_the_device_allows),
	cmocka_unit_test(possible__page_granularity_needs_whole_pages),
	cmocka_unit_test(request__options_that_contradict),
	cmocka_unit_test(request__ranges_that_are_none),
};

TEST_MAIN(cases)
