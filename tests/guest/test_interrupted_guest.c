/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_interrupted_guest.c -- calls that some kernel does not end while signals come.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

#include "support/test.h"
#include "sys/sys.h"

static _Atomic(unsigned int) came;

static void handler(int signal)
{
	(void)signal;
	atomic_fetch_add(&came, 1);
}

/*
 * tmpfs of 6.1 gives back all that it has allocated when a signal comes: where they come
 * more often than that takes, trying again never ends.
 */
static void interrupted__a_long_allocation(void **state)
{
	(void)state;
	static const char *const path = "/dev/shm/pinreg-interrupted";
	const uint64_t length = 256u << 20;
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };
	struct sigaction action = { .sa_handler = handler };
	sigset_t mask;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	test_ok(fd);
	unlink(path);
	test_ok(sigaction(SIGALRM, &action, NULL));
	test_ok(setitimer(ITIMER_REAL, &often, NULL));
	test_ok(pinreg_sys_real.file_allocate(fd, 0, 0, length));
	test_ok(pthread_sigmask(SIG_SETMASK, NULL, &mask));
	assert_int_equal(sigismember(&mask, SIGALRM), 0);
	test_ok(setitimer(ITIMER_REAL, &never, NULL));
	assert_true(atomic_load(&came) > 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)length);
	close(fd);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(interrupted__a_long_allocation),
};

TEST_MAIN(cases)
