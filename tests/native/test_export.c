/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_export.c -- the descriptors of regions, through a fence and a return.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "support/hooks.h"
#include "support/test.h"

#define BYTES PINREG_DESCRIPTOR_LENGTH

static struct pinreg_descriptor imported(const unsigned char *bytes)
{
	struct pinreg_descriptor it = { .size = sizeof(it) };
	test_ok(pinreg_descriptor_import(bytes, BYTES, &it));
	return it;
}

static struct pinreg_descriptor of(struct pinreg_region *region)
{
	unsigned char bytes[BYTES];
	test_ok(pinreg_region_export(region, bytes, sizeof(bytes)));
	return imported(bytes);
}

static struct pinreg_region *registered(struct pinreg_domain *domain, unsigned int access,
					enum pinreg_method method)
{
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.access = access,
		.method = method,
	};
	struct pinreg_region *region = NULL;
	void *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	test_ok(pinreg_region_register(domain, memory, 8192, &opts, NULL, &region));
	return region;
}

static void export__says_what_the_keys_say(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_region *region = registered(domain, 0, PINREG_METHOD_AUTO);
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(region, &keys));
	struct pinreg_descriptor it = of(region);
	assert_int_equal(it.flags, 0);
	assert_int_equal(it.method, PINREG_METHOD_PIN);
	assert_int_equal(it.granularity, PINREG_GRANULARITY_BYTE);
	assert_int_equal(it.access, PINREG_REMOTE_WRITE | PINREG_REMOTE_READ);
	assert_int_equal(it.addr, keys.addr);
	assert_int_equal(it.length, 8192);
	assert_int_equal(it.rkey, keys.rkey);
	assert_int_equal(it.generation, 1);
	assert_int_equal(it.mtu, 0);
	test_ok(pinreg_region_deregister(region));
}

static void export__of_a_shadow_names_the_shadow(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_region *region = registered(domain, 0, PINREG_METHOD_STAGED);
	struct pinreg_region_info info = { .size = sizeof(info) };
	test_ok(pinreg_region_query(region, &info));
	struct pinreg_descriptor it = of(region);
	assert_int_equal(it.method, PINREG_METHOD_STAGED);
	assert_int_not_equal(it.addr, info.addr);
	test_ok(pinreg_region_deregister(region));
}

static void export__id_is_the_region_s_own(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_region *one = registered(domain, 0, PINREG_METHOD_AUTO);
	struct pinreg_region *two = registered(domain, 0, PINREG_METHOD_AUTO);
	assert_int_equal(of(one).id, of(one).id);
	assert_int_not_equal(of(one).id, of(two).id);
	test_ok(pinreg_region_deregister(one));
	test_ok(pinreg_region_deregister(two));
}

static void export__access_in_bits_of_its_own(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_region *region =
		registered(domain, IBV_ACCESS_REMOTE_READ, PINREG_METHOD_AUTO);
	assert_int_equal(of(region).access, PINREG_REMOTE_READ);
	test_ok(pinreg_region_deregister(region));
}

static void export__of_a_region_without_rights(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_region *region =
		registered(domain, IBV_ACCESS_LOCAL_WRITE, PINREG_METHOD_AUTO);
	unsigned char bytes[BYTES];
	assert_int_equal(pinreg_region_export(region, bytes, BYTES), -EACCES);
	assert_int_equal(pinreg_region_export_revoked(region, 1, 0, bytes, BYTES), -EACCES);
	test_ok(pinreg_region_deregister(region));
}

/* Who gives out a window changes what is the window's, and makes the bytes. */
static void export__described_and_changed(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_region *region = registered(domain, 0, PINREG_METHOD_AUTO);
	struct pinreg_descriptor it = { .size = sizeof(it) };
	unsigned char bytes[BYTES];
	test_ok(pinreg_region_describe(region, &it));
	it.rkey = 77;
	it.addr += 100;
	it.length = 200;
	it.access = PINREG_REMOTE_READ;
	test_ok(pinreg_descriptor_export(&it, bytes, BYTES));
	struct pinreg_descriptor got = imported(bytes);
	assert_memory_equal(&got, &it, sizeof(it));
	test_ok(pinreg_region_deregister(region));
}

static void export__through_a_fence_and_a_return(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	unsigned char bytes[BYTES];
	hooks_files();
	struct pinreg_region *region = hooks_register(hooks_open(domain, hooks_a));
	struct pinreg_descriptor before = of(region);
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(pinreg_region_export(region, bytes, BYTES), -EAGAIN);
	test_ok(pinreg_region_export_revoked(region, event.generation, 0, bytes, BYTES));
	struct pinreg_descriptor revoked = imported(bytes);
	assert_int_equal(revoked.flags, PINREG_DESCRIPTOR_REVOKED);
	assert_int_equal(revoked.id, before.id);
	assert_int_equal(revoked.generation, before.generation);
	assert_int_equal(revoked.rkey, 0);
	assert_int_equal(revoked.addr, before.addr);
	assert_int_equal(host_let_go(writer), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	struct pinreg_descriptor after = of(region);
	assert_int_equal(after.id, before.id);
	assert_int_equal(after.addr, before.addr);
	assert_int_equal(after.generation, before.generation + 1);
	assert_int_not_equal(after.rkey, before.rkey);
}

static void export__when_the_file_is_lost(void **state)
{
	(void)state;
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	unsigned char bytes[BYTES];
	struct pinreg_file *file;
	struct pinreg_file_opts give_up = hooks_cache_ok;
	give_up.on_shrink = PINREG_SHRINK_GIVE_UP;
	hooks_files();
	test_ok(pinreg_file_open(domain, AT_FDCWD, hooks_a, &give_up, NULL, &file));
	struct pinreg_region *region = hooks_register(file);
	assert_int_equal(host_wait(host_start_truncate(hooks_a, 4096)), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(pinreg_region_export(region, bytes, BYTES), -ESTALE);
	assert_int_equal(pinreg_region_export_revoked(region, 2, 0, bytes, BYTES), -EINVAL);
	assert_int_equal(pinreg_region_export_revoked(region, 0, 0, bytes, BYTES), -EINVAL);
	test_ok(pinreg_region_export_revoked(region, 1, 1, bytes, BYTES));
	assert_int_equal(imported(bytes).flags, PINREG_DESCRIPTOR_REVOKED | PINREG_DESCRIPTOR_GONE);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(export__says_what_the_keys_say),
	cmocka_unit_test(export__of_a_shadow_names_the_shadow),
	cmocka_unit_test(export__id_is_the_region_s_own),
	cmocka_unit_test(export__access_in_bits_of_its_own),
	cmocka_unit_test(export__of_a_region_without_rights),
	cmocka_unit_test(export__described_and_changed),
	cmocka_unit_test(export__through_a_fence_and_a_return),
	cmocka_unit_test(export__when_the_file_is_lost),
};

TEST_MAIN(cases)
