/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_window.c -- regions whose peers come through memory windows, on real leased
 * files; only the device is fake.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "support/fake_window.h"
#include "support/hooks.h"
#include "support/test.h"

static unsigned int windows_of_device;

static int device_with_windows(struct ibv_context *context, struct ibv_device_attr_ex *out)
{
	int status = fake_device_sys()->device_query(context, out);
	out->orig_attr.device_cap_flags |= windows_of_device;
	return status;
}

/* A file in page cache, which is paged on demand, and its region with windows. */
struct scene {
	struct pinreg_domain *domain;
	struct pinreg_file *file;
	struct pinreg_region *region;
};

static struct ibv_qp *a_queue_pair(void)
{
	static struct ibv_qp qp;
	return &qp;
}

static int register_with(struct scene *scene, enum pinreg_method method, struct pinreg_why *why)
{
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.method = method,
		.windows = 1,
	};
	return pinreg_file_register(scene->file, 0, 0, &opts, why, &scene->region);
}

static void scene_open_on(struct scene *scene, unsigned int windows)
{
	*scene = (struct scene){ 0 };
	windows_of_device = windows;
	memset(&fake_window, 0, sizeof(fake_window));
	hooks = (struct pinreg_sys){ .device_query = device_with_windows };
	hooks_files();
	scene->domain = hooks_domain(PINREG_QUIESCE_NONE);
	scene->file = hooks_open(scene->domain, hooks_a);
}

static void scene_open(struct scene *scene, enum pinreg_method method)
{
	struct pinreg_why why;
	scene_open_on(scene, IBV_DEVICE_MEM_WINDOW_TYPE_2B);
	test_ok(register_with(scene, method, &why));
}

static void scene_close(struct scene *scene)
{
	test_ok(pinreg_region_deregister(scene->region));
	test_ok(pinreg_file_close(scene->file));
	host_domain_close(scene->domain);
	assert_int_equal(fake_window.alive, 0);
}

static struct pinreg_window *bind(struct scene *scene)
{
	struct pinreg_window *window = NULL;
	test_ok(pinreg_window_bind(scene->region, a_queue_pair(), NULL, &window));
	return window;
}

static struct pinreg_keys keys_of(struct pinreg_window *window)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_window_keys(window, &keys));
	return keys;
}

static void expect_break_and_return(struct scene *scene, int breaker)
{
	struct pinreg_event event;
	host_expect(scene->domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene->domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_wait(breaker), 0);
	host_expect(scene->domain, PINREG_EVENT_RESTORED, &event);
}

static void window__gives_what_the_region_does_not(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_keys own = { .size = sizeof(own) };
	struct pinreg_descriptor told = { .size = sizeof(told) };
	unsigned char message[PINREG_DESCRIPTOR_LENGTH];
	unsigned int remote =
		IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC;
	scene_open(&scene, PINREG_METHOD_ODP);
	test_ok(pinreg_region_query(scene.region, &info));
	assert_int_equal(info.access & remote, 0);
	assert_true(info.access & IBV_ACCESS_MW_BIND);
	assert_int_equal(info.live, 1);
	test_ok(pinreg_region_keys(scene.region, &own));
	assert_int_equal(own.rkey, 0);
	assert_int_equal(pinreg_region_describe(scene.region, &told), -EACCES);

	struct pinreg_window *window = bind(&scene);
	struct pinreg_keys keys = keys_of(window);
	assert_int_not_equal(keys.rkey, 0);
	assert_int_equal(keys.addr, own.addr);
	assert_int_equal(keys.length, HOOKS_LENGTH);
	assert_int_equal(keys.generation, 1);
	assert_int_equal(fake_window.last.mw_access_flags,
			 IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ);
	assert_int_equal(fake_window.last.addr, own.addr);
	assert_int_equal(fake_window.last.length, HOOKS_LENGTH);

	test_ok(pinreg_window_describe(window, &told));
	assert_int_equal(told.rkey, keys.rkey);
	assert_int_equal(told.access, PINREG_REMOTE_WRITE | PINREG_REMOTE_READ);
	test_ok(pinreg_descriptor_export(&told, message, sizeof(message)));
	test_ok(pinreg_region_export_revoked(scene.region, 1, 0, message, sizeof(message)));
	test_ok(pinreg_window_close(window));
	scene_close(&scene);
}

static void fence__ends_windows_and_keeps_the_region(void **state)
{
	static const enum pinreg_method methods[] = { PINREG_METHOD_ODP, PINREG_METHOD_STAGED };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct scene scene;
		struct pinreg_keys keys = { .size = sizeof(keys) };
		scene_open(&scene, methods[i]);
		unsigned int regions = fake_device_regions();
		struct pinreg_window *one = bind(&scene), *other = bind(&scene);
		assert_int_equal(fake_window.alive, 2);
		struct pinreg_keys before = keys_of(one);
		expect_break_and_return(&scene, host_start("exec 9<>'%s'", hooks_a));
		assert_int_equal(fake_window.alive, 0);
		assert_int_equal(fake_device_regions(), regions);
		assert_int_equal(pinreg_window_keys(one, &keys), -ESTALE);
		assert_int_equal(pinreg_window_keys(other, &keys), -ESTALE);

		struct pinreg_window *again = bind(&scene);
		assert_int_equal(keys_of(again).generation, 2);
		assert_int_not_equal(keys_of(again).rkey, before.rkey);
		assert_int_equal(keys_of(again).addr, before.addr);
		test_ok(pinreg_window_close(one));
		test_ok(pinreg_window_close(again));
		test_ok(pinreg_window_close(other));
		scene_close(&scene);
	}
}

/* What peers read of a shadow after the return is what is in the file then. */
static void fence__shadow_is_filled_again(void **state)
{
	(void)state;
	struct scene scene;
	scene_open(&scene, PINREG_METHOD_STAGED);
	struct pinreg_window *window = bind(&scene);
	const unsigned char *shadow = (const void *)(uintptr_t)keys_of(window).addr;
	assert_int_equal(shadow[5000], host_byte(5000));
	expect_break_and_return(&scene, host_start_truncate(hooks_a, 4096));
	assert_int_equal(shadow[4095], host_byte(4095));
	for (unsigned int i = 4096; i < HOOKS_LENGTH; i++)
		assert_int_equal(shadow[i], 0);
	test_ok(pinreg_window_close(window));
	scene_close(&scene);
}

static void fence__waits_for_a_window_that_does_not_end(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event = { .size = sizeof(event) };
	scene_open(&scene, PINREG_METHOD_ODP);
	struct pinreg_window *window = bind(&scene);
	fake_window.end_error = -EBUSY;
	int writer = host_start("exec 9<>'%s'", hooks_a);
	while (!fake_window.refused)
		hooks_nap(1);
	hooks_nap(200);
	assert_int_equal(pinreg_domain_next_event(scene.domain, &event), -EAGAIN);
	fake_window.end_error = 0;
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns >= 100000000);
	assert_int_equal(host_wait(writer), 0);
	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	test_ok(pinreg_window_close(window));
	scene_close(&scene);
}

static void bind__refused(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_window *window = NULL;
	struct pinreg_region *plain;
	struct pinreg_event event;
	struct pinreg_window_opts atomic = {
		.size = sizeof(atomic),
		.access = IBV_ACCESS_REMOTE_ATOMIC,
	};
	scene_open(&scene, PINREG_METHOD_ODP);
	struct ibv_qp *qp = a_queue_pair();
	test_ok(pinreg_file_register(scene.file, 0, 4096, NULL, NULL, &plain));
	assert_int_equal(pinreg_window_bind(plain, qp, NULL, &window), -EINVAL);
	assert_int_equal(pinreg_window_bind(scene.region, NULL, NULL, &window), -EINVAL);
	assert_int_equal(pinreg_window_bind(scene.region, qp, &atomic, &window), -EACCES);
	fake_window.bind_error = -ENOMEM;
	assert_int_equal(pinreg_window_bind(scene.region, qp, NULL, &window), -ENOMEM);
	assert_int_equal(fake_window.alive, 0);
	fake_window.bind_error = 0;

	int writer = host_stay("exec 9<>'%s'", hooks_a);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(pinreg_window_bind(scene.region, qp, NULL, &window), -EAGAIN);
	assert_int_equal(host_let_go(writer), 0);
	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	assert_null(window);
	test_ok(pinreg_region_deregister(plain));
	scene_close(&scene);
}

static void deregister__while_a_window_is_open(void **state)
{
	(void)state;
	struct scene scene;
	scene_open(&scene, PINREG_METHOD_ODP);
	struct pinreg_window *window = bind(&scene);
	assert_int_equal(pinreg_region_deregister(scene.region), -EBUSY);
	fake_window.end_error = -EIO;
	assert_int_equal(pinreg_window_close(window), -EIO);
	fake_window.end_error = 0;
	keys_of(window);
	test_ok(pinreg_window_close(window));
	scene_close(&scene);
}

/* Refused with that reason; the sentence is left in a static buffer. */
static const char *expect_refusal(struct scene *scene, const struct pinreg_region_opts *opts,
				  int status, enum pinreg_reason reason)
{
	static char text[256];
	struct pinreg_why why;
	struct pinreg_region *region;
	assert_int_equal(pinreg_file_register(scene->file, 0, 0, opts, &why, &region), status);
	assert_int_equal(why.reason, reason);
	pinreg_why_describe(&why, text, sizeof(text));
	return text;
}

static void scene_close_empty(struct scene *scene)
{
	test_ok(pinreg_file_close(scene->file));
	host_domain_close(scene->domain);
}

static void refused__says_why(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_region_opts any = { .size = sizeof(any), .windows = 1 };
	struct pinreg_region_opts read_only = { .size = sizeof(any), .windows = 1, .read_only = 1 };
	struct pinreg_region_opts local = {
		.size = sizeof(local),
		.windows = 1,
		.access = IBV_ACCESS_LOCAL_WRITE,
	};
	scene_open_on(&scene, IBV_DEVICE_MEM_WINDOW);
	expect_refusal(&scene, &any, -EOPNOTSUPP, PINREG_REASON_WINDOWS_MISSING);
	scene_close_empty(&scene);

	scene_open_on(&scene, IBV_DEVICE_MEM_WINDOW_TYPE_2B);
	/* page cache that peers only read is pinned */
	const char *text =
		expect_refusal(&scene, &read_only, -EOPNOTSUPP, PINREG_REASON_WINDOWS_METHOD);
	assert_non_null(strstr(text, "'pin'"));
	/* windows of no right at all */
	expect_refusal(&scene, &local, -EINVAL, PINREG_REASON_BAD_OPTION);
	scene_close_empty(&scene);
}

static void refused__on_no_file(void **state)
{
	(void)state;
	static char memory[4096];
	struct scene scene;
	struct pinreg_why why;
	struct pinreg_region *region;
	struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.windows = 1,
		.method = PINREG_METHOD_ODP,
	};
	scene_open_on(&scene, IBV_DEVICE_MEM_WINDOW_TYPE_2B);
	int status =
		pinreg_region_register(scene.domain, memory, sizeof(memory), &opts, &why, &region);
	assert_int_equal(status, -EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_BAD_OPTION);
	scene_close_empty(&scene);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(window__gives_what_the_region_does_not),
	cmocka_unit_test(fence__ends_windows_and_keeps_the_region),
	cmocka_unit_test(fence__shadow_is_filled_again),
	cmocka_unit_test(fence__waits_for_a_window_that_does_not_end),
	cmocka_unit_test(bind__refused),
	cmocka_unit_test(deregister__while_a_window_is_open),
	cmocka_unit_test(refused__says_why),
	cmocka_unit_test(refused__on_no_file),
};

TEST_MAIN(cases)
