/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_starve.c -- somebody who comes back at once each time: he gets in, and so
 * do we.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

#define MS UINT64_C(1000000)

static uint64_t now(void)
{
	return pinreg_sys_real.now_ns();
}

/* What the visitor tells. */
struct visits {
	_Atomic(unsigned int) count;
	_Atomic(uint64_t) longest_ns; /* that he waited */
	_Atomic(bool) end;
};

static void visit_all_the_time(struct visits *visits)
{
	while (!atomic_load(&visits->end)) {
		uint64_t begun = now();
		int fd = open(hooks_a, O_RDWR | O_CLOEXEC);
		uint64_t waited = now() - begun;
		if (fd < 0)
			_exit(1);
		if (waited > atomic_load(&visits->longest_ns))
			atomic_store(&visits->longest_ns, waited);
		close(fd);
		visits->count++;
		usleep(500);
	}
	_exit(0);
}

static struct visits *begin_visits(pid_t *visitor)
{
	struct visits *visits = mmap(NULL, sizeof(*visits), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(visits, MAP_FAILED);
	*visitor = fork();
	if (!*visitor) {
		close_range(3, ~0u, 0);
		visit_all_the_time(visits);
	}
	return visits;
}

static int slow_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			 unsigned int access, struct ibv_mr **out)
{
	/* so that nobody who comes back at once misses a return */
	hooks_nap(10);
	return fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
}

/* The events of some time; how many of them were RESTORED. */
static unsigned int restored_within(struct pinreg_domain *domain, uint64_t time)
{
	static const enum pinreg_event_type cycle[] = {
		PINREG_EVENT_BREAK,
		PINREG_EVENT_FENCED,
		PINREG_EVENT_RESTORED,
	};
	uint64_t until = now() + time;
	unsigned int seen = 0;
	while (now() < until) {
		struct pinreg_event event = { .size = sizeof(event) };
		if (pinreg_domain_next_event(domain, &event)) {
			hooks_nap(1);
			continue;
		}
		assert_int_equal(event.missed, 0);
		assert_int_equal(event.type, cycle[seen++ % 3]);
	}
	return seen / 3;
}

static void starve__by_one_who_comes_back_at_once(void **state)
{
	(void)state;
	pid_t visitor;
	int status;
	hooks = (struct pinreg_sys){ .mr_register = slow_register };
	struct pinreg_domain *domain = hooks_domain(1);
	hooks_files();
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	struct visits *visits = begin_visits(&visitor);
	unsigned int restored = restored_within(domain, 4000 * MS);
	unsigned int count = visits->count;
	atomic_store(&visits->end, true);
	assert_int_equal(waitpid(visitor, &status, 0), visitor);
	print_message("%u visits, the longest wait %.3f ms; restored %u times\n", count,
		      (double)visits->longest_ns / 1e6, restored);
	assert_int_equal(status, 0);
	assert_true(restored >= 3);
	assert_true(count > 2 * restored);
	/* far from what the kernel would have taken the lease for */
	assert_true(visits->longest_ns < 2000 * MS);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

/* ---- one return takes long, and somebody waits meanwhile ---- */

static uint64_t short_break_time(void)
{
	return 400 * MS;
}

static unsigned int registrations;

static int very_slow_return(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			    unsigned int access, struct ibv_mr **out)
{
	if (registrations++)
		hooks_nap(150);
	return fake_device_sys()->mr_register(pd, addr, length, iova, access, out);
}

static void starve__insisting_ends_in_time(void **state)
{
	(void)state;
	pid_t visitor;
	int status;
	hooks = (struct pinreg_sys){ .mr_register = very_slow_return,
				     .lease_break_ns = short_break_time };
	struct pinreg_domain *domain = hooks_domain(1);
	struct pinreg_event event;
	hooks_files();
	struct pinreg_file *file = hooks_open(domain, hooks_a);
	struct pinreg_region *region = hooks_register(file);
	struct visits *visits = begin_visits(&visitor);
	/* more than a quarter of the time, so even who insists gives up */
	hooks_nap(2500);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_int_not_equal(pinreg_domain_next_event(domain, &event), 0);
	assert_true(visits->longest_ns < 1000 * MS);
	atomic_store(&visits->end, true);
	assert_int_equal(waitpid(visitor, &status, 0), visitor);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(starve__by_one_who_comes_back_at_once),
	cmocka_unit_test(starve__insisting_ends_in_time),
};

TEST_MAIN(cases)
