/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fork_guest.c -- a DAX file under registrations on a real device, and children of
 * who holds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/host.h"
#include "support/leased.h"
#include "support/rdma.h"
#include "support/test.h"

#define LENGTH (4u << 20)

/* The child tries to end what is its parent's; a peer writes on. */
static void fork__child_harms_no_registration(void **state)
{
	(void)state;
	struct leased leased;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_pages(&leased);
		struct pinreg_keys keys = rdma_keys(leased.region);
		pid_t child = host_fork();
		if (!child) {
			assert_int_equal(pinreg_region_deregister(leased.region), -EPERM);
			assert_int_equal(pinreg_file_close(leased.file), -EPERM);
			_exit(0);
		}
		assert_int_equal(host_wait(child), 0);
		struct rdma_peer *peer = rdma_peer_open();
		rdma_pattern(rdma_peer_buffer(peer), 65536, 7);
		test_ok(rdma_peer_write(peer, &keys, 0, 65536));
		test_ok(pinreg_region_commit(leased.region, 0, 65536));
		rdma_expect(leased.memory, 65536, 7);
		rdma_peer_close(peer);
		leased_remove(&leased);
	}
}

static void own_and_fork(const char *mount, int tell)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .device_events = 1 };
	struct leased leased;
	rdma_domain(&opts);
	leased_open(&leased, mount, LENGTH);
	leased_register_pages(&leased);
	pid_t child = host_fork();
	if (!child) {
		/* he tells himself: by then he has closed what he must not keep */
		child = getpid();
		assert_int_equal(write(tell, &child, sizeof(child)), sizeof(child));
		assert_int_equal(write(tell, leased.path, sizeof(leased.path)),
				 sizeof(leased.path));
		sleep(50);
		_exit(0);
	}
	pause();
}

/* The child has the application's descriptor of the device still, and with it the region. */
static void fork__lease_ends_with_a_killed_owner(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		char path[256];
		int told[2];
		pid_t child;
		test_ok(pipe2(told, O_CLOEXEC));
		pid_t owner = host_fork();
		if (!owner) {
			own_and_fork(leased_mounts[i], told[1]);
			_exit(1);
		}
		assert_int_equal(read(told[0], &child, sizeof(child)), sizeof(child));
		assert_int_equal(read(told[0], path, sizeof(path)), sizeof(path));
		kill(owner, SIGKILL);
		assert_int_equal(host_wait(owner), 128 + SIGKILL);
		test_ok(kill(child, 0));
		int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		int error = errno;
		int lease = fd < 0 ? -1 : fcntl(fd, F_SETLEASE, F_WRLCK);
		kill(child, SIGKILL);
		if (fd < 0)
			fail_msg("%s cannot be opened: %s", path, strerror(error));
		test_ok(lease);
		close(fd);
		unlink(path);
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(fork__child_harms_no_registration),
	cmocka_unit_test(fork__lease_ends_with_a_killed_owner),
};

TEST_MAIN(cases)
