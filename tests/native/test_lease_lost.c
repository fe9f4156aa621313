/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_lease_lost.c -- a lease that is gone before the keys are dead: the owner hears of it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "domain.h"
#include "support/hooks.h"
#include "support/test.h"

static struct pinreg_domain *domain;
static struct pinreg_file *file;
static struct pinreg_region *region;

static void open_file(unsigned int quiesce_ms)
{
	domain = hooks_domain(quiesce_ms);
	hooks_files();
	file = hooks_open(domain, hooks_a);
	region = hooks_register(file);
}

static void close_file(void)
{
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* The lease is let go through a copy of its descriptor, or the kernel takes it away. */
static void take_lease_away(void)
{
	test_ok(fcntl(file->prepared.fd, F_SETLEASE, F_UNLCK));
}

static void expect_lease_lost(struct pinreg_event *event)
{
	char text[256];
	host_expect(domain, PINREG_EVENT_LEASE_LOST, event);
	assert_ptr_equal(event->file, file);
	assert_int_equal(event->why.reason, PINREG_REASON_FILE_LEASE_LOST);
	assert_true(pinreg_why_describe(&event->why, text, sizeof(text)) > 0);
	puts(text);
}

static void lease_lost__while_draining(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_file(60000);
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	take_lease_away();
	hooks_nap(300);
	test_ok(pinreg_file_ack(file, event.generation));
	expect_lease_lost(&event);
	assert_int_equal(event.generation, 1);
	/* since it was seen held, when the break was noticed, until the keys were dead */
	assert_true(event.why.used >= 300000000);
	uint64_t seen_held = event.why.used;
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns >= seen_held); /* it was noticed, then looked at */
	assert_int_equal(host_let_go(writer), 0);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	close_file();
}

/* No signal tells of it; the next look at all leases does. */
static void lease_lost__without_a_signal(void **state)
{
	(void)state;
	struct pinreg_event event;
	open_file(60000);
	take_lease_away();
	test_ok(tgkill(getpid(), domain->watch.thread_id, SIGIO)); /* as of a full queue */
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	/* nothing to drain for: others have it already */
	expect_lease_lost(&event);
	assert_int_equal(event.why.used, 0);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.generation, 2);
	close_file();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(lease_lost__while_draining),
	cmocka_unit_test(lease_lost__without_a_signal),
};

TEST_MAIN(cases)
