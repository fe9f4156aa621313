/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_lease.c -- leases broken by real processes on real files; only the
 * device is fake.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "domain.h"
#include "support/hooks.h"
#include "support/test.h"

#define PAGES 16u
#define LENGTH (PAGES * 4096u)

/* One leased file with one region on it. */
struct scene {
	struct pinreg_domain *domain;
	struct pinreg_file *file;
	struct pinreg_region *region;
	char path[256];
	unsigned char *memory;
};

static void scene_open(struct scene *scene, unsigned int quiesce_ms,
		       const struct pinreg_file_opts *given)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .allow_page_cache = 1 };
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_why why;
	if (given)
		opts = *given;
	strcpy(scene->path, host_file(host_path(host_directory(), "file"), PAGES));
	scene->domain = host_domain(quiesce_ms);
	int status =
		pinreg_file_open(scene->domain, AT_FDCWD, scene->path, &opts, &why, &scene->file);
	if (status) {
		char text[256];
		pinreg_why_describe(&why, text, sizeof(text));
		fail_msg("%s", text);
	}
	test_ok(pinreg_file_register(scene->file, 0, 0, NULL, &why, &scene->region));
	test_ok(pinreg_file_query(scene->file, &info));
	assert_int_equal(info.state, PINREG_FILE_HELD);
	assert_int_equal(info.length, LENGTH);
	scene->memory = info.addr;
}

static void scene_close(struct scene *scene)
{
	test_ok(pinreg_region_deregister(scene->region));
	test_ok(pinreg_file_close(scene->file));
	host_domain_close(scene->domain);
}

static struct pinreg_keys keys_of(struct scene *scene)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(scene->region, &keys));
	return keys;
}

static void check_data(struct scene *scene, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		if (scene->memory[i] != host_byte(i))
			fail_msg("byte %lu is wrong", (unsigned long)i);
}

static void lease__truncate_fences_and_comes_back(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	scene_open(&scene, 0, NULL);
	struct pinreg_keys before = keys_of(&scene);
	assert_int_equal(before.generation, 1);

	int breaker = host_start_truncate(scene.path, 8192);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	assert_ptr_equal(event.file, scene.file);
	assert_int_equal(event.breaker, PINREG_BREAKER_WRITER);
	assert_true(event.deadline_ns > 0);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns >= 20000000); /* the default time to quiesce */
	assert_int_equal(host_wait(breaker), 0);

	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.generation, 2);
	assert_int_equal(event.old_size, LENGTH);
	assert_int_equal(event.new_size, 8192);
	assert_int_equal(event.zeroed, LENGTH - 8192);
	assert_int_equal(event.zeroed_offset, 8192);
	struct pinreg_keys after = keys_of(&scene);
	assert_int_equal(after.generation, 2);
	assert_int_equal(after.addr, before.addr);
	assert_int_not_equal(after.rkey, before.rkey);
	check_data(&scene, 0, 8192);
	for (unsigned int i = 8192; i < LENGTH; i++)
		assert_int_equal(scene.memory[i], 0);
	scene_close(&scene);
}

static void lease__fenced_while_the_writer_stays(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region *another = NULL;
	struct pinreg_why why;
	scene_open(&scene, 0, NULL);
	int writer = host_stay("exec 9>>'%s'", scene.path);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(fake_device_regions(), 0);
	assert_int_equal(pinreg_region_keys(scene.region, &keys), -EAGAIN);
	assert_int_equal(pinreg_region_commit(scene.region, 0, 4096), -EAGAIN);
	assert_int_equal(pinreg_file_register(scene.file, 0, 4096, NULL, &why, &another), -EAGAIN);
	assert_int_equal(why.reason, PINREG_REASON_FENCED);
	assert_null(another);
	/* only when the writer goes does it come back */
	hooks_nap(300);
	event.size = sizeof(event);
	assert_int_equal(pinreg_domain_next_event(scene.domain, &event), -EAGAIN);
	assert_int_equal(host_let_go(writer), 0);
	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	assert_true(event.away_ns >= 300000000);
	assert_int_equal(event.zeroed, 0);
	check_data(&scene, 0, LENGTH);
	scene_close(&scene);
}

static void lease__ack_ends_the_quiesce_time(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	scene_open(&scene, 10000, NULL);
	int reader = host_start("cat '%s' >/dev/null", scene.path);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	assert_int_equal(event.breaker, PINREG_BREAKER_READER);
	/* draining: the keys still work, and what arrived can be made durable */
	keys_of(&scene);
	test_ok(pinreg_region_commit(scene.region, 0, LENGTH));
	test_ok(pinreg_file_ack(scene.file, event.generation));
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns < 5000000000);
	assert_int_equal(host_wait(reader), 0);
	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	scene_close(&scene);
}

static void lease__append_is_kept(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	struct stat stat_after;
	scene_open(&scene, 1, NULL);
	assert_int_equal(host_run("echo more >> '%s'", scene.path), 0);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.new_size, LENGTH + 5);
	test_ok(stat(scene.path, &stat_after));
	assert_int_equal(stat_after.st_size, LENGTH + 5);
	check_data(&scene, 0, LENGTH);
	scene_close(&scene);
}

static void lease__shrunk_and_told_to_give_up(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.allow_page_cache = 1,
		.on_shrink = PINREG_SHRINK_GIVE_UP,
	};
	struct scene scene;
	struct pinreg_event event;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	scene_open(&scene, 1, &opts);
	assert_int_equal(host_wait(host_start_truncate(scene.path, 4096)), 0);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	host_expect(scene.domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_FILE_SHRUNK);
	assert_int_equal(event.why.used, 4096);
	assert_int_equal(pinreg_region_keys(scene.region, &keys), -ESTALE);
	/* and the file is everybody's */
	assert_int_equal(host_run("test $(stat -c %%s '%s') = 4096", scene.path), 0);
	scene_close(&scene);
}

static void lease__another_file_at_the_path(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	scene_open(&scene, 1, NULL);
	assert_int_equal(host_run("cp '%s' '%s.new' && mv '%s.new' '%s'", scene.path, scene.path,
				  scene.path, scene.path),
			 0);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event); /* cp read it */
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	/* it may have come back between cp and mv */
	host_any(scene.domain, &event);
	if (event.type == PINREG_EVENT_LOST)
		assert_int_equal(event.why.reason, PINREG_REASON_FILE_REPLACED);
	else
		assert_int_equal(event.type, PINREG_EVENT_RESTORED);
	scene_close(&scene);
}

static void lease__replaced_while_away_is_lost(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	scene_open(&scene, 1, NULL);
	assert_int_equal(host_run("exec 9<'%s'; rm '%s'", scene.path, scene.path), 0);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	host_expect(scene.domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_FILE_REPLACED);
	scene_close(&scene);
}

static void *open_ourselves(void *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? path : NULL;
}

static void lease__broken_by_the_own_process(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	pthread_t thread;
	void *opened;
	scene_open(&scene, 0, NULL);
	pthread_create(&thread, NULL, open_ourselves, scene.path);
	pthread_join(thread, &opened);
	assert_non_null(opened);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	scene_close(&scene);
}

static void lease__non_blocking_opener(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	scene_open(&scene, 0, NULL);
	assert_int_equal(open(scene.path, O_RDWR | O_NONBLOCK | O_CLOEXEC), -1);
	assert_int_equal(errno, EAGAIN);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
	scene_close(&scene);
}

static void lease__closed_while_away(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	scene_open(&scene, 1, NULL);
	int writer = host_stay("exec 9>>'%s'", scene.path);
	host_expect(scene.domain, PINREG_EVENT_BREAK, &event);
	host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(pinreg_file_close(scene.file), -EBUSY);
	scene_close(&scene);
	assert_int_equal(host_let_go(writer), 0);
}

/* Is it his again, for the n-th time, and has all been told of that? */
static bool is_back(struct scene *scene, uint64_t generation)
{
	pthread_mutex_lock(&scene->domain->watch.lock);
	bool back = scene->file->state == PINREG_FILE_HELD && !scene->file->busy &&
		    pinreg_set_generation(&scene->file->regions) == generation;
	pthread_mutex_unlock(&scene->domain->watch.lock);
	return back;
}

static void lease__broken_again_and_again(void **state)
{
	(void)state;
	struct scene scene;
	struct pinreg_event event;
	scene_open(&scene, 1, NULL);
	int breaker = host_start("for i in 1 2 3 4 5 6 7 8 9 10; do : >> '%s'; sleep 0.02; done",
				 scene.path);
	uint64_t generation = 1;
	/* an open that waited has been told of when it returns */
	for (bool ended = false; !ended;) {
		ended = waitpid(breaker, NULL, WNOHANG) == breaker;
		event.size = sizeof(event);
		while (!pinreg_domain_next_event(scene.domain, &event)) {
			assert_int_equal(event.type, PINREG_EVENT_BREAK);
			host_expect(scene.domain, PINREG_EVENT_FENCED, &event);
			host_expect(scene.domain, PINREG_EVENT_RESTORED, &event);
			assert_int_equal(event.generation, ++generation);
		}
		hooks_nap(1);
	}
	assert_true(generation > 1);
	assert_true(is_back(&scene, generation));
	check_data(&scene, 0, LENGTH);
	scene_close(&scene);
}

static void lease__owner_who_does_not_listen(void **state)
{
	(void)state;
	enum { BREAKS = 12 };
	struct scene scene;
	struct pinreg_event event = { .size = sizeof(event) };
	scene_open(&scene, 1, NULL);
	for (uint64_t generation = 2; generation < 2 + BREAKS; generation++) {
		assert_int_equal(host_run(": >> '%s'", scene.path), 0);
		while (!is_back(&scene, generation))
			hooks_nap(1);
	}
	unsigned int seen = 0, missed = 0;
	while (!pinreg_domain_next_event(scene.domain, &event)) {
		seen++;
		missed += event.missed;
	}
	assert_int_equal(seen, 16);
	assert_int_equal(seen + missed, 3 * BREAKS);
	assert_int_equal(event.type, PINREG_EVENT_RESTORED);
	scene_close(&scene);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(lease__truncate_fences_and_comes_back),
	cmocka_unit_test(lease__fenced_while_the_writer_stays),
	cmocka_unit_test(lease__ack_ends_the_quiesce_time),
	cmocka_unit_test(lease__append_is_kept),
	cmocka_unit_test(lease__shrunk_and_told_to_give_up),
	cmocka_unit_test(lease__another_file_at_the_path),
	cmocka_unit_test(lease__replaced_while_away_is_lost),
	cmocka_unit_test(lease__broken_by_the_own_process),
	cmocka_unit_test(lease__non_blocking_opener),
	cmocka_unit_test(lease__closed_while_away),
	cmocka_unit_test(lease__broken_again_and_again),
	cmocka_unit_test(lease__owner_who_does_not_listen),
};

TEST_MAIN(cases)
