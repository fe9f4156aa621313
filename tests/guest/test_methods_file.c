/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_methods_file.c -- shadows of leased files; dma-bufs; and the limits that
 * only a real kernel has.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/udmabuf.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/host.h"
#include "support/rdma.h"
#include "support/runs.h"
#include "support/test.h"

#define RW (PROT_READ | PROT_WRITE)
#define LENGTH (1u << 20)

static const char *const mounts[] = { "/pmem/ext4", "/pmem/xfs" };
#define MOUNTS (sizeof(mounts) / sizeof(mounts[0]))

/* A leased file with a shadow of all of it. */
struct scene {
	char path[256];
	struct pinreg_file *file;
	struct pinreg_region *region;
	unsigned char *memory;
};

static void scene_open(struct scene *scene, const char *mount)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = LENGTH, .create = 1 };
	struct pinreg_region_opts staged = { .size = sizeof(staged),
					     .method = PINREG_METHOD_STAGED };
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_why why;
	snprintf(scene->path, sizeof(scene->path), "%s/shadow-%d", mount, getpid());
	unlink(scene->path);
	int status = pinreg_file_open(rdma_domain(NULL), AT_FDCWD, scene->path, &opts, &why,
				      &scene->file);
	if (!status)
		status = pinreg_file_register(scene->file, 0, 0, &staged, &why, &scene->region);
	if (status)
		fail_msg("%s: %s", mount, rdma_sentence(&why));
	test_ok(pinreg_file_query(scene->file, &info));
	scene->memory = info.addr;
}

static void scene_close(struct scene *scene)
{
	test_ok(pinreg_region_deregister(scene->region));
	test_ok(pinreg_file_close(scene->file));
}

static struct pinreg_keys keys_of(const struct scene *scene)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	test_ok(pinreg_region_keys(scene->region, &keys));
	return keys;
}

static void staged__committed_bytes_are_in_the_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < MOUNTS; i++) {
		struct scene scene;
		scene_open(&scene, mounts[i]);
		struct pinreg_keys keys = keys_of(&scene);
		struct rdma_peer *peer = rdma_peer_open();
		rdma_pattern(rdma_peer_buffer(peer), 54321, 3);
		test_ok(rdma_peer_write(peer, &keys, 100, 54321));
		test_ok(rdma_peer_write(peer, &keys, 300001, 54321));
		assert_int_equal(scene.memory[100] | scene.memory[300001], 0);
		test_ok(pinreg_region_commit(scene.region, 100, 54321));
		rdma_peer_close(peer);
		scene_close(&scene);

		unsigned char *copy = malloc(LENGTH);
		int fd = open(scene.path, O_RDONLY | O_CLOEXEC);
		assert_int_equal(pread(fd, copy, LENGTH, 0), LENGTH);
		rdma_expect(copy + 100, 54321, 3);
		/* what was not committed never left the shadow */
		for (size_t at = 0; at < LENGTH; at++)
			if ((at < 100 || at >= 100 + 54321) && copy[at])
				fail_msg("byte %zu was written", at);
		close(fd);
		free(copy);
		unlink(scene.path);
	}
}

static void staged__shows_the_file_of_now_after_a_return(void **state)
{
	(void)state;
	for (size_t i = 0; i < MOUNTS; i++) {
		struct scene scene;
		struct pinreg_event event;
		scene_open(&scene, mounts[i]);
		struct pinreg_keys before = keys_of(&scene);
		struct rdma_peer *peer = rdma_peer_open();
		rdma_pattern(rdma_peer_buffer(peer), 8192, 4);
		test_ok(rdma_peer_write(peer, &before, 0, 8192));
		test_ok(pinreg_region_commit(scene.region, 0, 8192));

		/* somebody else changes a part of it meanwhile */
		int other = host_start("printf 0123456789 | dd of='%s' bs=1 seek=5000 conv=notrunc"
				       " status=none",
				       scene.path);
		host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
		test_ok(pinreg_file_ack(scene.file));
		host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
		assert_int_equal(pinreg_region_commit(scene.region, 0, 1), -EAGAIN);
		assert_int_equal(pinreg_region_refresh(scene.region, 0, 1), -EAGAIN);
		assert_int_equal(host_wait(other), 0);
		host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);

		struct pinreg_keys now = keys_of(&scene);
		assert_int_equal(now.generation, 2);
		assert_int_equal(now.addr, before.addr);
		test_ok(rdma_peer_read(peer, &now, 0, 8192));
		unsigned char *got = rdma_peer_buffer(peer);
		assert_memory_equal(got + 5000, "0123456789", 10);
		rdma_expect(got, 5000, 4);
		assert_int_equal(rdma_peer_write(peer, &before, 0, 64), -EREMOTEIO);
		rdma_peer_close(peer);
		scene_close(&scene);
		unlink(scene.path);
	}
}

static void dmabuf__the_device_says_no_and_so_do_we(void **state)
{
	(void)state;
	host_run("modprobe udmabuf 2>/dev/null");
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (device < 0)
		test_skip("/dev/udmabuf: %s", strerror(errno));
	int memory = memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	test_ok(ftruncate(memory, LENGTH));
	test_ok(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK));
	struct udmabuf_create create = { .memfd = (__u32)memory, .size = LENGTH };
	int fd = ioctl(device, UDMABUF_CREATE, &create);
	test_ok(fd);
	errno = 0;
	assert_null(ibv_reg_dmabuf_mr(rdma_pd(), 0, LENGTH, 0, fd, IBV_ACCESS_LOCAL_WRITE));
	assert_int_equal(errno, EOPNOTSUPP);
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	assert_int_equal(pinreg_region_register_dmabuf(rdma_domain(NULL), fd, 0, LENGTH, NULL, &why,
						       &region),
			 -EOPNOTSUPP);
	assert_int_equal(why.reason, PINREG_REASON_DMABUF_MISSING);
	printf("%s\n", rdma_sentence(&why));
}

static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	test_ok(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	test_ok(syscall(SYS_capset, &header, data));
}

/* More than may be pinned: ODP where it is right for what is wanted, else no. */
static void check_limit(enum pinreg_granularity granularity, enum pinreg_reason reason)
{
	struct pinreg_region_opts opts = { .size = sizeof(opts), .granularity = granularity };
	struct pinreg_region_info info = { .size = sizeof(info) };
	enum pinreg_trust needed =
		granularity == PINREG_GRANULARITY_PAGE ? PINREG_TRUST_PAGE : PINREG_TRUST_FULL;
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	void *memory = map_or_fail(LENGTH, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int status =
		pinreg_region_register(rdma_domain(NULL), memory, LENGTH, &opts, &why, &region);
	assert_int_equal(why.wanted, LENGTH);
	if (rdma_trust() < needed) {
		assert_int_equal(status, -ENOMEM);
		assert_int_equal(why.reason, reason);
	} else {
		test_ok(status);
		test_ok(pinreg_region_query(region, &info));
		assert_int_equal(info.method, PINREG_METHOD_ODP);
		assert_int_equal(why.reason, PINREG_REASON_ODP_LIMIT);
		test_ok(pinreg_region_deregister(region));
	}
}

static void limit__memlock(void **state)
{
	(void)state;
	/* before there is a limit: the tests pin memory too */
	rdma_trust();
	drop_ipc_lock();
	struct rlimit limit = { .rlim_cur = 192 << 10, .rlim_max = 1 << 20 };
	test_ok(setrlimit(RLIMIT_MEMLOCK, &limit));
	check_limit(PINREG_GRANULARITY_BYTE, PINREG_REASON_MEMLOCK);
	check_limit(PINREG_GRANULARITY_PAGE, PINREG_REASON_MEMLOCK);
}

static void limit__budget(void **state)
{
	(void)state;
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .pin_budget = 192 << 10 };
	rdma_domain(&opts);
	check_limit(PINREG_GRANULARITY_BYTE, PINREG_REASON_BUDGET);
	check_limit(PINREG_GRANULARITY_PAGE, PINREG_REASON_BUDGET);
}

static unsigned int max_map_count(unsigned int value)
{
	unsigned int before = 0;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r+e");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &before), 1);
	rewind(file);
	fprintf(file, "%u", value);
	assert_int_equal(fclose(file), 0);
	return before;
}

/* A shadow has a mapping of its own; with as many as there may be it has none. */
static void limit__mappings(void **state)
{
	(void)state;
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	unsigned char *memory = map_or_fail(LENGTH, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	/* every other page with other rights: each is a mapping */
	unsigned char *many = map_or_fail(LENGTH, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	/* a heap that has room: what is short are mappings, and no memory */
	mallopt(M_MMAP_THRESHOLD, LENGTH * 2);
	mallopt(M_TRIM_THRESHOLD, LENGTH * 4);
	void *room = malloc(LENGTH);
	assert_non_null(room);
	free(room);
	/* the first look at the memory map needs a mapping too */
	struct pinreg_plan plan = { .size = sizeof(plan) };
	test_ok(pinreg_plan(rdma_domain(NULL), memory, LENGTH, &opts, &plan));
	unsigned int before = max_map_count(200);
	for (size_t at = 0; at < LENGTH; at += 8192)
		if (mprotect(many + at, 4096, PROT_READ))
			break;
	/* what is left, not next to another one like it */
	while (mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED &&
	       mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		;
	int status =
		pinreg_region_register(rdma_domain(NULL), memory, LENGTH, &opts, &why, &region);
	max_map_count(before);
	assert_int_equal(status, -ENOMEM);
	printf("%s\n", rdma_sentence(&why));
	assert_int_equal(why.reason, PINREG_REASON_MAP_COUNT);
	assert_int_equal(why.limit, 200);
	assert_true(why.used >= 200);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(staged__committed_bytes_are_in_the_file),
	cmocka_unit_test(staged__shows_the_file_of_now_after_a_return),
	cmocka_unit_test(dmabuf__the_device_says_no_and_so_do_we),
	cmocka_unit_test(limit__memlock),
	cmocka_unit_test(limit__budget),
	cmocka_unit_test(limit__mappings),
};

TEST_MAIN(cases)
