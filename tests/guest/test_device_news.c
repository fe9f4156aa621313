/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_device_news.c -- a real device whose port goes down and that is removed. It is
 * one of the test's own, so that the guest's stays as it is for other tests.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/host.h"
#include "support/leased.h"
#include "support/library_threads.h"
#include "support/rdma.h"
#include "support/test.h"
#include "sys/sys.h"

#define NETDEV "pinreg-news"
#define DEVICE "rxe-news"
#define LENGTH (2u << 20)

static struct ibv_context *context;
static struct ibv_pd *pd;
static char uverbs[128];

static void remove_device(void)
{
	host_run("rdma link delete " DEVICE " 2>/dev/null; ip link delete " NETDEV " 2>/dev/null");
}

static void make_device(void)
{
	atexit(remove_device);
	if (host_run("ip link add " NETDEV " type dummy"))
		test_skip("network devices cannot be made here");
	test_ok(-host_run("ip link set " NETDEV
			  " mtu 9000 up && ip address add 10.78.0.1/24 dev " NETDEV
			  " && rdma link add " DEVICE " type rxe netdev " NETDEV));
}

static void open_device(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	assert_non_null(list);
	for (int i = 0; list[i] && !context; i++)
		if (!strcmp(ibv_get_device_name(list[i]), DEVICE))
			context = ibv_open_device(list[i]);
	ibv_free_device_list(list);
	assert_non_null(context);
	snprintf(uverbs, sizeof(uverbs), "/dev/infiniband/%s", context->device->dev_name);
	pd = ibv_alloc_pd(context);
	assert_non_null(pd);
}

static void close_device(void)
{
	assert_int_equal(ibv_dealloc_pd(pd), 0);
	assert_int_equal(ibv_close_device(context), 0);
	context = NULL;
}

static struct pinreg_domain *open_domain(void)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .device_events = 1 };
	struct pinreg_domain *domain = NULL;
	test_ok(pinreg_domain_open(pd, &opts, &domain));
	return domain;
}

static void expect_device(struct pinreg_domain *domain, enum pinreg_device_event device,
			  unsigned int port)
{
	struct pinreg_event event;
	host_expect(domain, PINREG_EVENT_DEVICE, &event);
	if (event.device != device)
		fail_msg("device event %d, %d was expected", event.device, device);
	assert_int_equal(event.port, port);
}

/* What this process has open of the device. */
static unsigned int descriptors_of_device(void)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	unsigned int count = 0;
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		char target[256] = "";
		ssize_t length =
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
		/* of one that is removed the name goes on */
		count += length > 0 && !strncmp(target, uverbs, strlen(uverbs));
	}
	closedir(directory);
	return count;
}

static void port__down_and_up(void **state)
{
	(void)state;
	struct ibv_async_event own;
	make_device();
	open_device();
	struct pinreg_domain *domain = open_domain();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(host_run("ip link set " NETDEV " down"), 0);
		expect_device(domain, PINREG_DEVICE_PORT_DOWN, 1);
		assert_int_equal(host_run("ip link set " NETDEV " up"), 0);
		expect_device(domain, PINREG_DEVICE_PORT_UP, 1);
	}
	/* the application has all of its own */
	for (int i = 0; i < 6; i++) {
		test_ok(ibv_get_async_event(context, &own));
		assert_int_equal(own.event_type,
				 i % 2 ? IBV_EVENT_PORT_ACTIVE : IBV_EVENT_PORT_ERR);
		ibv_ack_async_event(&own);
	}
	test_ok(pinreg_domain_close(domain));
	close_device();
}

static struct pinreg_file *open_leased(struct pinreg_domain *domain, char path[256],
				       struct pinreg_region **region)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = LENGTH, .create = 1 };
	struct pinreg_region_opts shadow = {
		.size = sizeof(shadow),
		.method = PINREG_METHOD_STAGED,
	};
	struct pinreg_file *file = NULL;
	leased_path(path, 256, leased_mounts[0]);
	test_ok(pinreg_file_open(domain, AT_FDCWD, path, &opts, NULL, &file));
	test_ok(pinreg_file_register(file, 0, 0, &shadow, NULL, region));
	return file;
}

/* Removed while we hold a leased file on it: we hear of it, and are waited for. */
static void removed__by(const char *command)
{
	struct pinreg_domain_info info = { .size = sizeof(info) };
	struct pinreg_event event = { .size = sizeof(event) };
	struct pinreg_region *region;
	char path[256];
	make_device();
	open_device();
	struct pinreg_domain *domain = open_domain();
	struct pinreg_file *file = open_leased(domain, path, &region);
	assert_int_equal(descriptors_of_device(), 2); /* the application's, and ours */

	int removal = host_start("%s", command);
	do
		host_expect(domain, PINREG_EVENT_DEVICE, &event);
	while (event.device == PINREG_DEVICE_PORT_DOWN);
	assert_int_equal(event.device, PINREG_DEVICE_REMOVED);
	assert_int_equal(event.port, 0);
	assert_int_equal(descriptors_of_device(), 1);

	/* who wants the file gets it */
	assert_int_equal(host_run("exec 9<>'%s'", path), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	assert_true(event.held_up_ns < 5000000000);
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	int status = pinreg_domain_query(domain, &info);
	assert_true(!status || status == -ENODEV); /* the port may be gone already */

	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	test_ok(pinreg_domain_close(domain));
	unlink(path);
	close_device();
	assert_int_equal(host_wait(removal), 0);
}

/* The device is of that name again, and works. */
static void use_it_again(const char *command)
{
	assert_int_equal(host_run("%s", command), 0);
	open_device();
	struct pinreg_domain *domain = open_domain();
	assert_int_equal(host_run("ip link set " NETDEV " down"), 0);
	expect_device(domain, PINREG_DEVICE_PORT_DOWN, 1);
	test_ok(pinreg_domain_close(domain));
	close_device();
}

static void removed__link_deleted_and_added_again(void **state)
{
	(void)state;
	removed__by("rdma link delete " DEVICE);
	use_it_again("rdma link add " DEVICE " type rxe netdev " NETDEV);
}

static void removed__network_device_deleted(void **state)
{
	(void)state;
	removed__by("ip link delete " NETDEV);
	for (int i = 0; i < 500 && !access("/sys/class/infiniband/" DEVICE, F_OK); i++)
		usleep(10000);
	assert_int_not_equal(access("/sys/class/infiniband/" DEVICE, F_OK), 0);
}

static void idle__nobody_wakes(void **state)
{
	(void)state;
	make_device();
	open_device();
	struct pinreg_domain *domain = open_domain();
	struct library_threads before = library_threads_settle();
	assert_true(before.count > 0);
	sleep(10);
	assert_int_equal(library_threads_now().sleeps, before.sleeps);
	test_ok(pinreg_domain_close(domain));
	close_device();
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(port__down_and_up),
	cmocka_unit_test(idle__nobody_wakes),
	cmocka_unit_test(removed__link_deleted_and_added_again),
	cmocka_unit_test(removed__network_device_deleted),
};

TEST_MAIN(cases)
