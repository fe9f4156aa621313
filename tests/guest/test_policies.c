/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policies.c -- what becomes of DAX files that others take: real
 * filesystems, real leases, a real device.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/host.h"
#include "support/leased.h"
#include "support/rdma.h"
#include "support/test.h"
#include "sys/sys.h"

#define LENGTH (4u << 20)

static struct pinreg_event event;

/* A peer stores a pattern by the region's keys of now, and it is in the memory then. */
static void peer_writes(struct leased *leased, unsigned int pattern)
{
	struct pinreg_keys keys = rdma_keys(leased->region);
	struct rdma_peer *peer = rdma_peer_open();
	rdma_pattern(rdma_peer_buffer(peer), 65536, pattern);
	test_ok(rdma_peer_write(peer, &keys, 0, 65536));
	test_ok(pinreg_region_commit(leased->region, 0, 65536));
	rdma_expect(leased->memory, 65536, pattern);
	rdma_peer_close(peer);
}

static void late_store__on_dax(void **state)
{
	(void)state;
	struct leased leased;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_pages(&leased);
		peer_writes(&leased, 3);
		int other = host_stay("exec 9<>'%s'", leased.path);
		host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
		test_ok(pinreg_file_ack(leased.file, event.generation));
		host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
		assert_int_equal(host_run("cp '%s' '%s.before'", leased.path, leased.path), 0);
		memset(leased.memory, 0xee, LENGTH);
		assert_int_equal(leased.memory[LENGTH - 1], 0xee);
		/* what others find is the same after the stores */
		assert_int_equal(host_run("cmp '%s' '%s.before'", leased.path, leased.path), 0);
		assert_int_equal(host_let_go(other), 0);
		host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
		assert_int_equal(event.zeroed, 0);
		rdma_expect(leased.memory, 65536, 3);
		peer_writes(&leased, 4);
		host_run("rm '%s.before'", leased.path);
		leased_remove(&leased);
	}
}

static void late_store__in_a_file_cut_to_nothing(void **state)
{
	(void)state;
	struct leased leased;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		leased_open(&leased, leased_mounts[i], LENGTH);
		leased_register_pages(&leased);
		int other = host_stay("exec 9>'%s'", leased.path);
		host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
		host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
		struct stat look = { .st_size = 1 };
		for (unsigned int tries = 0; look.st_size && tries < 3000; tries++) {
			usleep(5000);
			test_ok(stat(leased.path, &look));
		}
		assert_int_equal(look.st_size, 0);
		memset(leased.memory, 0xee, LENGTH);
		assert_int_equal(host_run("test ! -s '%s'", leased.path), 0);
		assert_int_equal(host_let_go(other), 0);
		host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
		assert_int_equal(event.zeroed, LENGTH);
		for (size_t at = 0; at < LENGTH; at++)
			assert_int_equal(leased.memory[at], 0);
		peer_writes(&leased, 5);
		leased_remove(&leased);
	}
}

static bool is_immutable(const char *path)
{
	struct pinreg_file_look look;
	int fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	test_ok(pinreg_sys_real.file_look(fd, &look));
	close(fd);
	return look.immutable;
}

static unsigned int records(const char *mount)
{
	char command[128], line[64] = "";
	snprintf(command, sizeof(command), "ls -A '%s' | grep -c '^[.]pinreg'", mount);
	FILE *count = popen(command, "re");
	assert_non_null(count);
	assert_non_null(fgets(line, sizeof(line), count));
	pclose(count);
	return (unsigned int)strtoul(line, NULL, 10);
}

static void check_followed(struct leased *leased, const char *mount, enum pinreg_seal seal)
{
	char old[300];
	struct stat look;
	bool sealed = seal == PINREG_SEAL_IMMUTABLE;
	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.replaced, 1);
	assert_int_equal(event.zeroed, LENGTH - 65536);
	test_ok(pinreg_file_query(leased->file, &leased->info));
	test_ok(stat(leased->path, &look));
	assert_int_equal(leased->info.inode, look.st_ino);
	assert_int_equal(look.st_size, LENGTH);
	for (unsigned int i = 0; i < LENGTH; i++)
		assert_int_equal(leased->memory[i], i < 65536 ? 'n' : 0);
	/* nothing of ours on the old one */
	snprintf(old, sizeof(old), "%s.old", leased->path);
	assert_false(is_immutable(old));
	assert_int_equal(is_immutable(leased->path), sealed);
	assert_int_equal(records(mount), sealed);
	assert_int_equal(host_run("cmp -n 65536 '%s' '%s.first' && rm '%s' '%s.first'", old,
				  leased->path, old, leased->path),
			 0);
	peer_writes(leased, 8);
}

static void follow_on(const char *mount, enum pinreg_seal seal)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = LENGTH,
		.create = 1,
		.seal = seal,
		.on_replaced = PINREG_REPLACED_FOLLOW,
	};
	struct leased leased;
	leased_open_as(&leased, mount, &opts);
	leased_register_pages(&leased);
	peer_writes(&leased, 7);
	assert_int_equal(host_run("head -c 65536 /dev/zero | tr '\\0' n > '%s.new'", leased.path),
			 0);
	/* while it is sealed nobody can: so he opens it first, and keeps it open */
	int other = host_start("exec 9<'%s'; cp '%s' '%s.first'; ln '%s' '%s.old' && "
			       "mv '%s.new' '%s'",
			       leased.path, leased.path, leased.path, leased.path, leased.path,
			       leased.path, leased.path);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_wait(other), 0);
	check_followed(&leased, mount, seal);
	leased_close(&leased);
	assert_false(is_immutable(leased.path));
	assert_int_equal(records(mount), 0);
	unlink(leased.path);
}

static void follow__on_dax(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++) {
		follow_on(leased_mounts[i], PINREG_SEAL_LEASE);
		follow_on(leased_mounts[i], PINREG_SEAL_IMMUTABLE);
	}
}

static enum pinreg_file_state state_of(struct leased *leased)
{
	test_ok(pinreg_file_query(leased->file, &leased->info));
	return leased->info.state;
}

static void wait_for_held(struct leased *leased)
{
	for (unsigned int tries = 0; state_of(leased) != PINREG_FILE_HELD && tries < 1500; tries++)
		usleep(10000);
	assert_int_equal(leased->info.state, PINREG_FILE_HELD);
}

/* As root can. */
static void take_the_flag_off(const char *path)
{
	struct pinreg_file_flags flags;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	test_ok(pinreg_sys_real.file_flags_get(fd, &flags));
	assert_true(flags.xflags & FS_XFLAG_IMMUTABLE);
	flags.xflags &= ~(uint32_t)FS_XFLAG_IMMUTABLE;
	test_ok(pinreg_sys_real.file_flags_set(fd, &flags));
	close(fd);
}

static void admit_on(const char *mount)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = LENGTH,
		.create = 1,
		.seal = PINREG_SEAL_IMMUTABLE,
		.on_reader = PINREG_READER_ADMIT,
	};
	struct leased leased;
	leased_open_as(&leased, mount, &opts);
	leased_register_pages(&leased);
	peer_writes(&leased, 9);
	struct pinreg_keys before = rdma_keys(leased.region);

	int reader = host_stay("exec 9<'%s'; cat '%s' > /dev/null", leased.path, leased.path);
	host_expect(rdma_domain(NULL), PINREG_EVENT_ADMITTED, &event);
	assert_int_equal(state_of(&leased), PINREG_FILE_SHARED);
	assert_int_equal(rdma_keys(leased.region).rkey, before.rkey);
	peer_writes(&leased, 10);
	assert_int_not_equal(host_run("truncate -s 0 '%s' 2> /dev/null", leased.path), 0);
	assert_int_not_equal(host_run("{ true >> '%s'; } 2> /dev/null", leased.path), 0);
	assert_int_equal(host_let_go(reader), 0);
	wait_for_held(&leased);
	assert_int_equal(pinreg_domain_next_event(rdma_domain(NULL), &event), -EAGAIN);
	assert_int_equal(rdma_keys(leased.region).generation, 1);
	peer_writes(&leased, 11);

	/* and where root opens the way for a writer, peers are out */
	reader = host_stay("exec 9<'%s'", leased.path);
	host_expect(rdma_domain(NULL), PINREG_EVENT_ADMITTED, &event);
	take_the_flag_off(leased.path);
	int writer = host_stay("exec 9<>'%s'", leased.path);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_let_go(writer), 0);
	assert_int_equal(host_let_go(reader), 0);
	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.zeroed, 0);
	assert_true(is_immutable(leased.path));
	peer_writes(&leased, 12);
	leased_remove(&leased);
	assert_int_equal(records(mount), 0);
}

static void admit__on_dax(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++)
		admit_on(leased_mounts[i]);
}

static void cut(struct leased *leased, uint64_t size)
{
	int other = host_start_truncate(leased->path, size);
	host_expect(rdma_domain(NULL), PINREG_EVENT_BREAK, &event);
	host_expect(rdma_domain(NULL), PINREG_EVENT_FENCED, &event);
	assert_int_equal(host_wait(other), 0);
	host_expect(rdma_domain(NULL), PINREG_EVENT_RESTORED, &event);
}

static void shrink_on(const char *mount)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = LENGTH,
		.create = 1,
		.on_shrink = PINREG_SHRINK_FOLLOW,
	};
	struct pinreg_region_opts pages = {
		.size = sizeof(pages),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region *back = NULL;
	struct leased leased;
	leased_open_as(&leased, mount, &opts);
	test_ok(pinreg_file_register(leased.file, 0, LENGTH / 2, &pages, NULL, &leased.region));
	test_ok(pinreg_file_register(leased.file, LENGTH / 2, 0, &pages, NULL, &back));
	peer_writes(&leased, 13);
	cut(&leased, LENGTH / 2 + 5);
	assert_int_equal(event.length, LENGTH / 2);
	assert_int_equal(pinreg_region_keys(back, &keys), -ESTALE);
	memset(leased.memory + LENGTH / 2, 0xee, LENGTH / 2);
	rdma_expect(leased.memory, 65536, 13);
	peer_writes(&leased, 14);
	cut(&leased, LENGTH);
	assert_int_equal(event.length, LENGTH);
	test_ok(pinreg_region_keys(back, &keys));
	for (size_t at = LENGTH / 2; at < LENGTH; at++)
		assert_int_equal(leased.memory[at], 0);
	struct rdma_peer *peer = rdma_peer_open();
	rdma_pattern(rdma_peer_buffer(peer), 65536, 15);
	test_ok(rdma_peer_write(peer, &keys, 0, 65536));
	test_ok(pinreg_region_commit(back, 0, 65536));
	rdma_expect(leased.memory + LENGTH / 2, 65536, 15);
	rdma_peer_close(peer);
	peer_writes(&leased, 16);
	test_ok(pinreg_region_deregister(back));
	leased_remove(&leased);
}

static void shrink__followed_on_dax(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEASED_MOUNTS; i++)
		shrink_on(leased_mounts[i]);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(shrink__followed_on_dax),
	cmocka_unit_test(admit__on_dax),
	cmocka_unit_test(follow__on_dax),
	cmocka_unit_test(late_store__on_dax),
	cmocka_unit_test(late_store__in_a_file_cut_to_nothing),
};

TEST_MAIN(cases)
