/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_large_shadow.c -- who opens a file waits for one piece of what is done with its
 * shadow, not for all of it; and what was done in part is never to be seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "region/pieces.h"
#include "support/hooks.h"
#include "support/test.h"
#include "watch/watch.h"

#define PIECES 5u
#define LENGTH (PIECES * PINREG_PIECE)
#define REGISTERED UINT64_MAX

/* ---- a leased file with a large shadow, and somebody who opens it ---- */

static struct {
	struct pinreg_file *file;
	struct pinreg_region *region;
	unsigned char *home;
	/* what is done, piece by piece: where, or REGISTERED */
	uint64_t done[64];
	unsigned int count;
	bool noted;	       /* from now on */
	unsigned int opens_at; /* somebody comes in the middle of this piece */
	bool until_fenced;     /* who stays until the watcher wants to fence */
	int opener;
	bool reachable; /* by a key, or registered, when he came */
} seen;

/* The returner notes too, and what makes it work is no lock but another process. */
static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;

/* Note what is done; somebody comes in the middle of so many, 0: nobody. */
static void note_from_now_on(unsigned int opens_at)
{
	pthread_mutex_lock(&noting);
	seen.noted = true;
	seen.opens_at = opens_at;
	pthread_mutex_unlock(&noting);
}

/* How many were noted. */
static unsigned int note_no_more(void)
{
	pthread_mutex_lock(&noting);
	seen.noted = false;
	unsigned int count = seen.count;
	pthread_mutex_unlock(&noting);
	return count;
}

static bool is_whole(void)
{
	int type = F_WRLCK;
	test_ok(pinreg_sys_real.lease_get(seen.file->prepared.fd, &type));
	return type == F_WRLCK;
}

static bool is_fenced(void)
{
	struct pinreg_stop stop = pinreg_set_stop(&seen.file->regions);
	return stop.asked(stop.context, NULL);
}

/* Begin to change the first bytes of the file, in another process, which waits. */
static void somebody_opens(void)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	seen.reachable = fake_device_regions() ||
			 (seen.region && pinreg_region_keys(seen.region, &keys) != -EAGAIN);
	seen.opener =
		host_start("printf changed | dd of='%s' bs=7 conv=notrunc status=none", hooks_a);
	while (is_whole() || (seen.until_fenced && !is_fenced()))
		hooks_nap(1);
}

static void note(uint64_t what)
{
	pthread_mutex_lock(&noting);
	if (seen.noted) {
		assert_true(seen.count < sizeof(seen.done) / sizeof(seen.done[0]));
		seen.done[seen.count++] = what;
		if (seen.count == seen.opens_at)
			somebody_opens();
	}
	pthread_mutex_unlock(&noting);
}

static int populate_noted(void *addr, uint64_t length, bool write)
{
	int status = pinreg_sys_real.populate(addr, length, write);
	/* the other thing that is touched is the shadow, when it is made */
	if (!write)
		note((uint64_t)((unsigned char *)addr - seen.home));
	return status;
}

static int register_noted(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			  unsigned int access, struct ibv_mr **out)
{
	note(REGISTERED);
	return fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
}

static int no_limit(struct pinreg_memlock *out)
{
	*out = (struct pinreg_memlock){ .limit = UINT64_MAX };
	return 0;
}

/* Each piece begins with a byte of its own. */
static struct pinreg_domain *open_large(unsigned int quiesce_ms)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.allow_page_cache = 1,
		.length = LENGTH,
	};
	struct pinreg_file_info info = { .size = sizeof(info) };
	memset(&seen, 0, sizeof(seen));
	hooks.populate = populate_noted;
	hooks.memlock = no_limit;
	struct pinreg_domain *domain = hooks_domain(quiesce_ms);
	hooks_files();
	test_ok(pinreg_file_open(domain, AT_FDCWD, hooks_a, &opts, NULL, &seen.file));
	test_ok(pinreg_file_query(seen.file, &info));
	seen.home = info.addr;
	for (unsigned int i = 0; i < PIECES; i++)
		seen.home[i * PINREG_PIECE] = (unsigned char)(i + 1);
	return domain;
}

static int register_shadow(struct pinreg_why *why)
{
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	return pinreg_file_register(seen.file, 0, 0, &opts, why, &seen.region);
}

static void close_large(struct pinreg_domain *domain)
{
	test_ok(pinreg_region_deregister(seen.region));
	test_ok(pinreg_file_close(seen.file));
	host_domain_close(domain);
}

/* As far as a peer can reach it. */
static unsigned char *shadow(void)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(seen.region, &keys));
	assert_int_equal(keys.length, LENGTH);
	return (unsigned char *)(uintptr_t)keys.addr;
}

/* From the piece that was noted as number from on: all of them, and then a key. */
static void expect_whole(unsigned int from)
{
	assert_int_equal(seen.count, from + PIECES + 1);
	for (unsigned int i = 0; i < PIECES; i++)
		assert_int_equal(seen.done[from + i], i * PINREG_PIECE);
	assert_int_equal(seen.done[from + PIECES], REGISTERED);
}

/* He comes in the middle of the second piece: it is the last. */
static void restore__is_left_after_one_piece(void **state)
{
	(void)state;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_event event;
	hooks = (struct pinreg_sys){ .mr_register = register_noted };
	struct pinreg_domain *domain = open_large(1);
	test_ok(register_shadow(NULL));
	note_from_now_on(2);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	/* the owner heard of one return, that of a file which is whole */
	assert_int_equal(event.generation, 2);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EAGAIN);
	assert_int_equal(host_wait(seen.opener), 0);
	assert_false(seen.reachable);
	assert_int_equal(seen.done[0], 0);
	assert_int_equal(seen.done[1], PINREG_PIECE);
	expect_whole(2);
	assert_memory_equal(seen.home, "changed", 7);
	assert_memory_equal(shadow(), seen.home, LENGTH);
	test_ok(pinreg_region_keys(seen.region, &keys));
	assert_int_equal(keys.generation, 2);
	close_large(domain);
}

/* Of a shadow that is copied to the end, but not registered yet. */
static void restore__is_left_before_registering(void **state)
{
	(void)state;
	struct pinreg_event event;
	hooks = (struct pinreg_sys){ .mr_register = register_noted };
	struct pinreg_domain *domain = open_large(1);
	test_ok(register_shadow(NULL));
	note_from_now_on(PIECES);
	assert_int_equal(host_run("exec 9>>'%s'", hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(host_wait(seen.opener), 0);
	assert_false(seen.reachable);
	expect_whole(PIECES);
	assert_memory_equal(shadow(), seen.home, LENGTH);
	close_large(domain);
}

/* While a region is made for the first time the call itself is who gives up. */
static void register__is_left_after_one_piece(void **state)
{
	(void)state;
	struct pinreg_event event;
	struct pinreg_why why;
	hooks = (struct pinreg_sys){ .mr_register = register_noted };
	struct pinreg_domain *domain = open_large(1);
	seen.until_fenced = true;
	note_from_now_on(2);
	assert_int_equal(register_shadow(&why), -EAGAIN);
	assert_int_equal(why.reason, PINREG_REASON_FENCED);
	assert_null(seen.region);
	assert_int_equal(seen.count, 2);
	assert_int_equal(fake_device_regions(), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_wait(seen.opener), 0);
	assert_false(seen.reachable);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	test_ok(register_shadow(&why));
	expect_whole(2);
	assert_memory_equal(shadow(), seen.home, LENGTH);
	close_large(domain);
}

/* ---- what peers wrote is committed, and somebody opens the file ---- */

static int persist_noted(struct pinreg_persist *persist, void *addr, uint64_t length)
{
	note((uint64_t)((unsigned char *)addr - seen.home));
	return pinreg_sys_real.persist_range(persist, addr, length);
}

/* Something that peers wrote at the end of each piece. */
static struct pinreg_domain *open_written(unsigned int quiesce_ms)
{
	hooks = (struct pinreg_sys){ .persist_range = persist_noted };
	struct pinreg_domain *domain = open_large(quiesce_ms);
	test_ok(register_shadow(NULL));
	for (unsigned int i = 1; i <= PIECES; i++)
		shadow()[i * PINREG_PIECE - 1] = 0x55;
	seen.until_fenced = quiesce_ms == 1;
	note_from_now_on(2);
	return domain;
}

static void commit__ends_after_one_piece_when_fenced(void **state)
{
	(void)state;
	struct pinreg_event event;
	struct pinreg_domain *domain = open_written(1);
	assert_int_equal(pinreg_region_commit(seen.region, 0, LENGTH), -EAGAIN);
	assert_int_equal(note_no_more(), 2);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(host_wait(seen.opener), 0);
	/* as it is written: the front is home, the rest is lost, and peers see the file */
	for (unsigned int i = 1; i <= PIECES; i++)
		assert_int_equal(seen.home[i * PINREG_PIECE - 1], i <= 2 ? 0x55 : 0);
	assert_memory_equal(shadow(), seen.home, LENGTH);
	/* again, and this time all of it */
	shadow()[LENGTH - 1] = 0x66;
	test_ok(pinreg_region_commit(seen.region, 0, LENGTH));
	assert_int_equal(seen.home[LENGTH - 1], 0x66);
	close_large(domain);
}

/* The time to drain is there to commit what has arrived. */
static void commit__is_finished_while_draining(void **state)
{
	(void)state;
	struct pinreg_event event;
	struct pinreg_domain *domain = open_written(60000);
	test_ok(pinreg_region_commit(seen.region, 0, LENGTH));
	assert_int_equal(note_no_more(), PIECES);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	test_ok(pinreg_file_ack(seen.file, event.generation));
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(host_wait(seen.opener), 0);
	for (unsigned int i = 1; i <= PIECES; i++)
		assert_int_equal(shadow()[i * PINREG_PIECE - 1], 0x55);
	close_large(domain);
}

/* ---- what was stored here is to be shown to peers, and somebody opens the file ---- */

static atomic_bool in_second_piece;

/* The second piece cannot be read before the watcher wants to fence. */
static void on_fault(int number)
{
	(void)number;
	atomic_store(&in_second_piece, true);
	while (!is_fenced())
		hooks_nap(1);
	mprotect(seen.home + PINREG_PIECE, PINREG_PIECE, PROT_READ | PROT_WRITE);
}

/* He comes in its middle, and stays as long as there is another file. */
static void *open_and_stay(void *unused)
{
	while (!atomic_load(&in_second_piece))
		hooks_nap(1);
	seen.opener =
		host_start("exec 9<'%s'; while [ -e '%s' ]; do sleep 0.01; done", hooks_a, hooks_b);
	return unused;
}

static void refresh__ends_after_one_piece_when_fenced(void **state)
{
	(void)state;
	struct sigaction action = { .sa_handler = on_fault };
	struct pinreg_event event;
	pthread_t thread;
	hooks = (struct pinreg_sys){ .mr_register = register_noted };
	struct pinreg_domain *domain = open_large(1);
	test_ok(register_shadow(NULL));
	unsigned char *there = shadow();
	for (unsigned int i = 0; i < PIECES; i++)
		seen.home[i * PINREG_PIECE] = 0x77;
	test_ok(sigaction(SIGSEGV, &action, NULL));
	test_ok(mprotect(seen.home + PINREG_PIECE, PINREG_PIECE, PROT_NONE));
	pthread_create(&thread, NULL, open_and_stay, NULL);
	assert_int_equal(pinreg_region_refresh(seen.region, 0, LENGTH), -EAGAIN);
	pthread_join(thread, NULL);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	for (unsigned int i = 0; i < PIECES; i++)
		assert_int_equal(there[i * PINREG_PIECE], i < 2 ? 0x77 : i + 1);
	note_from_now_on(0);
	/* and there is nothing to be repeated */
	test_ok(unlink(hooks_b));
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(host_wait(seen.opener), 0);
	expect_whole(0);
	assert_memory_equal(shadow(), seen.home, LENGTH);
	close_large(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(restore__is_left_after_one_piece),
	cmocka_unit_test(restore__is_left_before_registering),
	cmocka_unit_test(register__is_left_after_one_piece),
	cmocka_unit_test(commit__ends_after_one_piece_when_fenced),
	cmocka_unit_test(commit__is_finished_while_draining),
	cmocka_unit_test(refresh__ends_after_one_piece_when_fenced),
};

TEST_MAIN(cases)
