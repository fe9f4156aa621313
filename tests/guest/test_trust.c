/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_trust.c -- the data test on the guest's Soft-RoCE device.
 *
 * PINREG_KERNEL names the guest's kernel. What is known of it is compared with
 * the verdict; for every kernel the verdict is compared with transfers that
 * this program makes itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plan/trust.h"
#include "support/test.h"

#define MTU_SMALL 1500
#define ROOM (128u << 10)
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

static const struct pinreg_sys *const sys = &pinreg_sys_real;
static struct pinreg_device device;
static char netdev[IFNAMSIZ];
static int mtu_before; /* of the netdev; 0: it was not changed */

/* The netdev under the device's first GID. */
static void netdev_find(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/ports/1/gid_attrs/ndevs/0", name);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%15s", netdev), 1);
	fclose(file);
}

static void device_open(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);

	assert_non_null(list);
	if (!list[0])
		test_skip("there is no verbs device");
	struct ibv_context *context = ibv_open_device(list[0]);
	assert_non_null(context);
	netdev_find(list[0]->name);
	ibv_free_device_list(list);
	device = (struct pinreg_device){ .sys = sys, .pd = ibv_alloc_pd(context), .port = 1 };
	assert_non_null(device.pd);
	test_ok(pinreg_device_init(&device));
}

static void netdev_change(unsigned long request, struct ifreq *change)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	test_ok(fd);
	memcpy(change->ifr_name, netdev, sizeof(netdev));
	int status = ioctl(fd, request, change);
	int error = errno;
	close(fd);
	if (status && error == EPERM)
		test_skip("the network device may not be changed");
	errno = error;
	test_ok(status);
}

/* Until the port says what it is expected to say. */
static void mtu_wait(int expected)
{
	for (int i = 0; i < 500 && pinreg_device_mtu(&device) != expected; i++)
		usleep(10000);
	assert_int_equal(pinreg_device_mtu(&device), expected);
}

static void mtu_lower(void)
{
	struct ifreq change = { 0 };

	netdev_change(SIOCGIFMTU, &change);
	mtu_before = change.ifr_mtu;
	change.ifr_mtu = MTU_SMALL;
	netdev_change(SIOCSIFMTU, &change);
	mtu_wait(1024);
}

static void mtu_restore(void)
{
	netdev_change(SIOCSIFMTU, &(struct ifreq){ .ifr_mtu = mtu_before });
	mtu_wait(4096);
	mtu_before = 0;
}

static void link_set(bool up)
{
	struct ifreq change = { 0 };

	netdev_change(SIOCGIFFLAGS, &change);
	change.ifr_flags = (short)(up ? change.ifr_flags | IFF_UP : change.ifr_flags & ~IFF_UP);
	netdev_change(SIOCSIFFLAGS, &change);
	mtu_wait(up ? 4096 : -ENETDOWN);
}

/* After a failure too: the next case finds the device as this one did. */
static int netdev_restore(void **state)
{
	(void)state;
	if (mtu_before)
		mtu_restore();
	else if (netdev[0])
		link_set(true);
	return 0;
}

/* What is known of the guest's kernels; UNTESTED of all others. */
static enum pinreg_trust known(bool large)
{
	const char *kernel = getenv("PINREG_KERNEL");

	if (!kernel)
		return PINREG_TRUST_UNTESTED;
	if (!strcmp(kernel, "7.2"))
		return large ? PINREG_TRUST_PAGE : PINREG_TRUST_NONE;
	if (!strcmp(kernel, "7.2-odpfix"))
		return PINREG_TRUST_FULL;
	if (!strcmp(kernel, "6.12") || !strcmp(kernel, "6.1"))
		return PINREG_TRUST_NONE;
	return PINREG_TRUST_UNTESTED;
}

static bool device_has_odp(void)
{
	return device.odp & IBV_ODP_SUPPORT;
}

static void check_known(const struct pinreg_trust_report *report, bool large, uint64_t began)
{
	enum pinreg_trust expected = known(large);

	print_message("MTU %u: %s, %u of %u transfers wrong, %llu of %llu bytes, first at +%llu, "
		      "length %llu; %llu ms\n",
		      report->mtu, pinreg_trust_name(report->trust), report->cases_wrong,
		      report->cases, (unsigned long long)report->bytes_wrong,
		      (unsigned long long)report->bytes,
		      (unsigned long long)report->first_wrong_offset,
		      (unsigned long long)report->first_wrong_length,
		      (unsigned long long)(sys->now_ns() - began) / 1000000);
	assert_int_equal(report->cases != 0, device_has_odp());
	if (expected == PINREG_TRUST_UNTESTED)
		test_skip("nothing is known of this kernel");
	assert_int_equal(report->trust, expected);
}

static void verdict__at_mtu_4096(void **state)
{
	struct pinreg_trust_report report;

	(void)state;
	device_open();
	uint64_t began = sys->now_ns();
	test_ok(pinreg_trust_of_device(&device, &report));
	check_known(&report, true, began);
}

static void verdict__at_mtu_1024(void **state)
{
	struct pinreg_trust_report report;

	(void)state;
	device_open();
	mtu_lower();
	uint64_t began = sys->now_ns();
	test_ok(pinreg_trust_of_device(&device, &report));
	check_known(&report, false, began);
	mtu_restore();
	if (device_has_odp())
		assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_UNTESTED);
}

/* The second answer must come without a transfer. */
static void verdict__is_kept(void **state)
{
	struct pinreg_trust_report first, second;
	static struct pinreg_sys counting;

	(void)state;
	device_open();
	test_ok(pinreg_trust_of_device(&device, &first));
	counting = pinreg_sys_real;
	counting.loop_open = NULL;
	device.sys = &counting;
	test_ok(pinreg_trust_of_device(&device, &second));
	assert_memory_equal(&first, &second, sizeof(first));
	assert_int_equal(pinreg_trust_known(&device), first.trust);
}

static void file_trust(const char *directory)
{
	struct pinreg_trust_report of_device, of_file;
	struct pinreg_file_look look;
	void *memory;

	test_ok(pinreg_trust_of_device(&device, &of_device));
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT)
		test_skip("there is no %s", directory);
	test_ok(fd);
	test_ok(sys->file_look(fd, &look));
	test_ok(sys->file_allocate(fd, 0, 0, PINREG_TRUST_ROOM));
	test_ok(sys->map(fd, PINREG_TRUST_ROOM, false, &memory));
	test_ok(sys->populate(memory, PINREG_TRUST_ROOM, true));
	uint64_t began = sys->now_ns();
	test_ok(pinreg_trust_of_memory(&device, look.device, memory, PINREG_TRUST_ROOM, &of_file));
	check_known(&of_file, true, began);
	assert_int_equal(of_file.trust, of_device.trust);
	assert_int_equal(pinreg_trust_known_of(&device, look.device), of_file.trust);
	sys->unmap(memory, PINREG_TRUST_ROOM);
	close(fd);
}

static void verdict__of_files_on_ext4(void **state)
{
	(void)state;
	device_open();
	file_trust("/pmem/ext4");
}

static void verdict__of_files_on_xfs(void **state)
{
	(void)state;
	device_open();
	file_trust("/pmem/xfs");
}

/* Two buffers, the second registered as asked for, filled with what is random enough. */
struct pair {
	struct pinreg_loop *loop;
	uint8_t *memory[2];
	uint8_t *wanted;
	struct ibv_mr *mr[2];
};

static void randomize(uint8_t *bytes, size_t length)
{
	static uint64_t word = 88172645463325252u;

	for (size_t i = 0; i < length; i++) {
		word ^= word << 13;
		word ^= word >> 7;
		word ^= word << 17;
		bytes[i] = (uint8_t)(word >> 32);
	}
}

static void pair_open(struct pair *pair, unsigned int access)
{
	test_ok(sys->loop_open(device.pd, 1, &pair->loop));
	pair->wanted = malloc(ROOM);
	assert_non_null(pair->wanted);
	for (int i = 0; i < 2; i++) {
		void *memory;

		test_ok(sys->map_anonymous(ROOM, &memory));
		pair->memory[i] = memory;
		test_ok(sys->mr_register(device.pd, memory, ROOM, i ? access : ACCESS,
					 &pair->mr[i]));
	}
}

static void pair_close(struct pair *pair)
{
	sys->loop_close(pair->loop);
	for (int i = 0; i < 2; i++) {
		test_ok(sys->mr_deregister(pair->mr[i]));
		sys->unmap(pair->memory[i], ROOM);
	}
	free(pair->wanted);
}

/* Is everything, also around the transfer, as it has to be afterwards? */
static bool arrives(struct pair *pair, bool write, size_t offset, uint32_t length)
{
	uint8_t *to = pair->memory[write ? 1 : 0];
	uint8_t *from = pair->memory[write ? 0 : 1];

	randomize(pair->memory[0], ROOM);
	randomize(pair->memory[1], ROOM);
	memcpy(pair->wanted, to, ROOM);
	memcpy(pair->wanted + offset, from + offset, length);
	test_ok((write ? sys->loop_write : sys->loop_read)(
		pair->loop, pair->mr[0], (uintptr_t)pair->memory[0] + offset, pair->mr[1]->rkey,
		(uintptr_t)pair->memory[1] + offset, length));
	return !memcmp(to, pair->wanted, ROOM);
}

static const struct {
	size_t offset;
	uint32_t length;
} odd[] = { { 5, 1 }, { 513, 3000 }, { 4095, 2 }, { 8191, 65537 }, { 12288, 4095 } };

/* A device that claims no on-demand paging must have none. */
static void agree_without_odp(void)
{
	struct ibv_mr *mr;
	void *memory;

	test_ok(sys->map_anonymous(ROOM, &memory));
	int status = sys->mr_register(device.pd, memory, ROOM, ACCESS | IBV_ACCESS_ON_DEMAND, &mr);
	assert_true(status == -EOPNOTSUPP || status == -EINVAL);
	assert_int_equal(pinreg_trust_known(&device), PINREG_TRUST_NONE);
	sys->unmap(memory, ROOM);
}

static void agree_at(int mtu)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pinreg_trust_report report;
	bool pages = true, bytes = true;
	struct pair pair;

	if (!device_has_odp()) {
		agree_without_odp();
		return;
	}
	test_ok(pinreg_trust_of_device(&device, &report));
	assert_int_equal(report.mtu, mtu);
	pair_open(&pair, ACCESS | IBV_ACCESS_ON_DEMAND);
	for (int write = 0; write < 2; write++) {
		pages &= arrives(&pair, write, page, (uint32_t)page);
		pages &= arrives(&pair, write, 2 * page, (uint32_t)(7 * page));
		for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
			bytes &= arrives(&pair, write, odd[i].offset, odd[i].length);
	}
	pair_close(&pair);
	print_message("MTU %d: %s; whole pages %s, others %s\n", mtu,
		      pinreg_trust_name(report.trust), pages ? "right" : "wrong",
		      bytes ? "right" : "wrong");
	assert_int_equal(pages, report.trust >= PINREG_TRUST_PAGE);
	assert_int_equal(pages && bytes, report.trust == PINREG_TRUST_FULL);
}

static void agreement__at_mtu_4096(void **state)
{
	(void)state;
	device_open();
	agree_at(4096);
}

static void agreement__at_mtu_1024(void **state)
{
	(void)state;
	device_open();
	mtu_lower();
	agree_at(1024);
}

static void loop__pinned_arrives(void **state)
{
	struct pair pair;

	(void)state;
	device_open();
	pair_open(&pair, ACCESS);
	for (int write = 0; write < 2; write++) {
		assert_true(arrives(&pair, write, 0, ROOM));
		for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
			assert_true(arrives(&pair, write, odd[i].offset, odd[i].length));
	}
	pair_close(&pair);
}

static void loop__is_dead_after_an_error(void **state)
{
	struct pair pair;

	(void)state;
	device_open();
	pair_open(&pair, ACCESS);
	uint64_t local = (uintptr_t)pair.memory[0], remote = (uintptr_t)pair.memory[1];
	uint64_t began = sys->now_ns();
	/* a byte more than there is */
	assert_int_equal(
		sys->loop_write(pair.loop, pair.mr[0], local, pair.mr[1]->rkey, remote + 1, ROOM),
		-EREMOTEIO);
	assert_int_equal(sys->loop_read(pair.loop, pair.mr[0], local, pair.mr[1]->rkey, remote, 64),
			 -EREMOTEIO);
	assert_true(sys->now_ns() - began < 5000000000u);
	pair_close(&pair);
}

static void loop__needs_the_port(void **state)
{
	struct pinreg_trust_report report;
	struct pinreg_loop *loop;

	(void)state;
	device_open();
	link_set(false);
	assert_int_equal(sys->loop_open(device.pd, 1, &loop), -ENETDOWN);
	if (device_has_odp())
		assert_int_equal(pinreg_trust_of_device(&device, &report), -ENETDOWN);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(verdict__at_mtu_4096),
	cmocka_unit_test_teardown(verdict__at_mtu_1024, netdev_restore),
	cmocka_unit_test(verdict__is_kept),
	cmocka_unit_test(verdict__of_files_on_ext4),
	cmocka_unit_test(verdict__of_files_on_xfs),
	cmocka_unit_test(agreement__at_mtu_4096),
	cmocka_unit_test_teardown(agreement__at_mtu_1024, netdev_restore),
	cmocka_unit_test(loop__pinned_arrives),
	cmocka_unit_test(loop__is_dead_after_an_error),
	cmocka_unit_test_teardown(loop__needs_the_port, netdev_restore),
};

TEST_MAIN(cases)
