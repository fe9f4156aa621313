/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_map_count.c -- looking at the memory of a process that has as many mappings
 * as it may have: whoever is refused wants to know why just then.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/runs.h"
#include "support/test.h"
#include "sys/maps_text.h"

#define MOST 300000u

#if defined(__has_feature)
#define BUILT_WITH(sanitizer) __has_feature(sanitizer)
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BUILT_WITH(sanitizer) 1
#else
#define BUILT_WITH(sanitizer) 0
#endif

static unsigned char *memory;

/* Before anything is made: a skip gives nothing back. */
static void skip_where_impossible(void)
{
	uint64_t used, limit;
	if (BUILT_WITH(address_sanitizer) || BUILT_WITH(thread_sanitizer))
		test_skip("a sanitizer maps memory of its own at any time");
	test_ok(pinreg_sys_real.map_count(&used, &limit));
	if (limit > MOST)
		test_skip("vm.max_map_count is very large here");
}

/* Every second page has other rights, until there is no mapping more. */
static void use_all_mappings(void)
{
	uint64_t used, limit;
	test_ok(pinreg_sys_real.map_count(&used, &limit));
	size_t room = (limit + 16) * page_size();
	memory = map_or_fail(room, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	size_t at = 2 * page_size();
	while (at < room && !mprotect(memory + at, page_size(), PROT_READ | PROT_WRITE))
		at += 2 * page_size();
	assert_int_equal(errno, ENOMEM);
	/* neither may what is in between be merged, nor the last one be left */
	while (mmap(NULL, page_size(), PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
	       MAP_FAILED)
		;
	test_ok(pinreg_sys_real.map_count(&used, &limit));
	assert_true(used + 1 >= limit);
}

static void look(void)
{
	struct pinreg_backing *backing = NULL;
	test_ok(pinreg_backing_query(memory, 6 * page_size(), &backing));
	assert_int_equal(pinreg_backing_count(backing), 5);
	pinreg_backing_free(backing);
}

static void map_count__first_look_at_the_limit(void **state)
{
	(void)state;
	skip_where_impossible();
	use_all_mappings();
	int before = dup(0);
	close(before);
	look();
	look();
	/* what was opened for a look is closed with it */
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
	/* later, with room again, the process's one is used */
	munmap(memory + 100 * page_size(), 10 * page_size());
	look();
	look();
}

static struct pinreg_plan plan_at_the_limit(void)
{
	struct pinreg_sys table = pinreg_sys_real;
	struct pinreg_plan plan = { .size = sizeof(plan) };
	struct pinreg_region_opts opts = { .size = sizeof(opts), .read_only = 1 };
	struct pinreg_domain *domain = NULL;
	struct pinreg_device device;
	skip_where_impossible();
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	fake_device_use(&device);
	table.device_query = fake_device_sys()->device_query;
	table.port_query = fake_device_sys()->port_query;
	test_ok(pinreg_domain_open_with(&table, device.pd, NULL, &domain));
	use_all_mappings();
	test_ok(pinreg_plan(domain, memory, 6 * page_size(), &opts, &plan));
	test_ok(pinreg_domain_close(domain));
	return plan;
}

static void map_count__a_plan_at_the_limit(void **state)
{
	(void)state;
	assert_int_equal(plan_at_the_limit().method, PINREG_METHOD_PIN);
}

/* Where there is only the text, it needs memory: then the limit is named. */
static void map_count__a_plan_by_text_at_the_limit(void **state)
{
	(void)state;
	pinreg_maps_force_text(true);
	struct pinreg_plan plan = plan_at_the_limit();
	if (plan.method == PINREG_METHOD_PIN)
		return; /* the heap had room */
	assert_int_equal(plan.why.reason, PINREG_REASON_MAP_COUNT);
	assert_int_equal(plan.why.error, -ENOMEM);
	assert_true(plan.why.used >= plan.why.limit && plan.why.limit);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(map_count__first_look_at_the_limit),
	cmocka_unit_test(map_count__a_plan_at_the_limit),
	cmocka_unit_test(map_count__a_plan_by_text_at_the_limit),
};

TEST_MAIN(cases)
