/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stale.c -- blocks that hold somebody's old bytes: no peer and no process
 * sees one of them, neither after a preparation nor during one nor after one that
 * was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/host.h"
#include "support/old_bytes.h"
#include "support/rdma.h"
#include "support/spare.h"
#include "support/test.h"

#define MIB ((uint64_t)1 << 20)
#define LENGTH (24 * MIB)
#define FILE_PATH SPARE "/file"

/* A filesystem whose blocks hold the old bytes. */
struct old {
	const char *make;
	bool dax;
};

static const struct old filesystems[] = {
	{ "ext4 -- dax=always", true },
	{ "xfs -- dax=always", true },
	{ "ext4 -- dax=never", false },
	{ "xfs -- dax=never", false },
};
#define FILESYSTEMS (sizeof(filesystems) / sizeof(filesystems[0]))

/* ---- who must not see them -------------------------------------------------- */

static void all_zero(const unsigned char *bytes, size_t length, uint64_t offset, const char *who)
{
	static const unsigned char zeros[RDMA_ROOM];
	assert_true(length <= sizeof(zeros));
	if (!memcmp(bytes, zeros, length))
		return;
	for (size_t at = 0; at < length; at++)
		if (bytes[at])
			fail_msg("%s: byte %lu is 0x%02x", who, (unsigned long)(offset + at),
				 bytes[at]);
}

static void read_as_peer(struct pinreg_file *file)
{
	struct pinreg_region_opts pages = {
		.size = sizeof(pages),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_region *region;
	struct pinreg_why why;
	int status = pinreg_file_register(file, 0, 0, &pages, &why, &region);
	if (status)
		fail_msg("%s", rdma_sentence(&why));
	struct rdma_peer *peer = rdma_peer_open();
	struct pinreg_keys keys = rdma_keys(region);
	for (uint64_t at = 0; at < LENGTH; at += RDMA_ROOM) {
		memset(rdma_peer_buffer(peer), 0xff, RDMA_ROOM);
		test_ok(rdma_peer_read(peer, &keys, at, RDMA_ROOM));
		all_zero(rdma_peer_buffer(peer), RDMA_ROOM, at, "a peer");
	}
	rdma_peer_close(peer);
	test_ok(pinreg_region_deregister(region));
}

/* Up to the end that the file has. */
static void read_by_path(const char *path)
{
	static unsigned char bytes[RDMA_ROOM];
	uint64_t at = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	while ((got = pread(fd, bytes, sizeof(bytes), (off_t)at)) > 0) {
		all_zero(bytes, (size_t)got, at, "a reader");
		at += (uint64_t)got;
	}
	test_ok(got);
	close(fd);
}

static struct pinreg_file *open_file(const char *path, const struct old *old)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = LENGTH,
		.create = 1,
		.allow_page_cache = !old->dax,
	};
	struct pinreg_file *file;
	struct pinreg_why why;
	int status = pinreg_file_open(rdma_domain(NULL), AT_FDCWD, path, &opts, &why, &file);
	if (status)
		fail_msg("%s: %s", old->make, rdma_sentence(&why));
	return file;
}

static void prepare_and_read(const char *path, const struct old *old)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_file *file = open_file(path, old);
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.dax, old->dax);
	read_as_peer(file);
	for (uint64_t at = 0; at < LENGTH; at += RDMA_ROOM)
		all_zero((unsigned char *)info.addr + at, RDMA_ROOM, at, "the mapping");
	test_ok(pinreg_file_close(file));
	read_by_path(path);
}

static void new_and_preallocated(const struct old *old)
{
	struct stat now;
	old_bytes_preallocate(FILE_PATH, LENGTH);
	prepare_and_read(FILE_PATH, old);
	mode_t mask = umask(0);
	prepare_and_read(SPARE "/new", old);
	umask(mask);
	test_ok(stat(SPARE "/new", &now));
	assert_int_equal(now.st_mode & 07777, 0600);
}

static void stale__bytes_of_the_device(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		old_bytes_of_the_device(filesystems[i].make);
		new_and_preallocated(&filesystems[i]);
	}
}

static void stale__bytes_of_a_deleted_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		old_bytes_of_a_deleted_file(filesystems[i].make);
		new_and_preallocated(&filesystems[i]);
	}
}

/* ---- while it is prepared --------------------------------------------------- */

/* Somebody who opens the file again and again, and waits for it; he is let in at once. */
struct reader {
	pthread_t thread;
	atomic_bool stop;
	atomic_uint reads;
	atomic_uint wrong;
};

static void *read_whenever(void *context)
{
	struct reader *reader = context;
	unsigned char *bytes = malloc(LENGTH);
	while (!atomic_load(&reader->stop)) {
		int fd = open(FILE_PATH, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			ssize_t got = pread(fd, bytes, LENGTH, 0);
			for (ssize_t i = 0; i < got; i++)
				if (bytes[i])
					atomic_fetch_add(&reader->wrong, 1);
			close(fd);
			atomic_fetch_add(&reader->reads, 1);
		}
		usleep(20000);
	}
	free(bytes);
	return NULL;
}

static void disturbed(const struct old *old)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = LENGTH,
		.allow_page_cache = !old->dax,
	};
	struct reader reader = { .reads = 0 };
	unsigned int ended = 0, whole = 0;
	old_bytes_preallocate(FILE_PATH, LENGTH);
	rdma_domain(NULL);
	test_ok(-pthread_create(&reader.thread, NULL, read_whenever, &reader));
	for (unsigned int tries = 0; tries < 1000 && atomic_load(&reader.reads) < 10; tries++) {
		struct pinreg_file *file;
		struct pinreg_why why;
		int status = pinreg_file_open(rdma_domain(NULL), AT_FDCWD, FILE_PATH, &opts, &why,
					      &file);
		if (status && status != -EBUSY)
			fail_msg("%s: %s", old->make, rdma_sentence(&why));
		ended += status != 0;
		whole += status == 0;
		if (!status)
			test_ok(pinreg_file_close(file));
		usleep(5000);
	}
	atomic_store(&reader.stop, true);
	pthread_join(reader.thread, NULL);
	print_message("%s: %u preparations ended early, %u whole, %u reads\n", old->make, ended,
		      whole, atomic_load(&reader.reads));
	assert_int_equal(atomic_load(&reader.wrong), 0);
	assert_true(atomic_load(&reader.reads) >= 10);
	prepare_and_read(FILE_PATH, old);
}

static void stale__while_it_is_prepared(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILESYSTEMS; i++) {
		old_bytes_of_the_device(filesystems[i].make);
		disturbed(&filesystems[i]);
	}
}

/* ---- after a kill ----------------------------------------------------------- */

static unsigned int steps_left;

static int die_in_the_middle(void *context, uint64_t done, uint64_t total)
{
	(void)context;
	(void)done;
	(void)total;
	if (!steps_left--)
		kill(getpid(), SIGKILL);
	return 0;
}

/* One that dies after so many steps; true: it had not got to its end. */
static bool killed_after(const char *path, const struct old *old, unsigned int steps, bool new)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.length = LENGTH,
		.create = new,
		.allow_page_cache = !old->dax,
		.progress = die_in_the_middle,
	};
	int result = 0;
	pid_t child = fork();
	if (!child) {
		struct pinreg_domain *domain = rdma_domain(NULL);
		struct pinreg_file *file;
		steps_left = steps;
		_exit(pinreg_file_open(domain, AT_FDCWD, path, &opts, NULL, &file) ? 1 : 0);
	}
	test_ok(waitpid(child, &result, 0));
	if (WIFEXITED(result) && WEXITSTATUS(result))
		fail_msg("%s: the preparation failed before it was killed", old->make);
	return WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL;
}

/* The children come first: none may inherit this process's device. */
#define KILLS 6u

static void path_of(char *path, size_t room, size_t filesystem, unsigned int kill_at)
{
	snprintf(path, room, SPARE "/killed-%zu-%u", filesystem, kill_at);
}

static void after_kills(size_t filesystem)
{
	const struct old *old = &filesystems[filesystem];
	unsigned int killed = 0;
	char path[128];
	old_bytes_of_the_device(old->make);
	for (unsigned int i = 0; i < KILLS; i++) {
		bool new = i % 2;
		path_of(path, sizeof(path), filesystem, i);
		if (!new)
			old_bytes_preallocate(path, LENGTH);
		killed += killed_after(path, old, i / 2, new);
		if (!access(path, F_OK))
			read_by_path(path);
	}
	print_message("%s: %u of %u were killed in the middle\n", old->make, killed, KILLS);
	assert_true(killed >= KILLS / 3);
	for (unsigned int i = 0; i < KILLS; i++) {
		path_of(path, sizeof(path), filesystem, i);
		prepare_and_read(path, old);
	}
}

static void stale__after_kills_on_ext4_dax(void **state)
{
	(void)state;
	after_kills(0);
}

static void stale__after_kills_on_xfs_dax(void **state)
{
	(void)state;
	after_kills(1);
}

static void stale__after_kills_on_ext4_page_cache(void **state)
{
	(void)state;
	after_kills(2);
}

static void stale__after_kills_on_xfs_page_cache(void **state)
{
	(void)state;
	after_kills(3);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test_teardown(stale__bytes_of_the_device, spare_remove),
	cmocka_unit_test_teardown(stale__bytes_of_a_deleted_file, spare_remove),
	cmocka_unit_test_teardown(stale__while_it_is_prepared, spare_remove),
	cmocka_unit_test_teardown(stale__after_kills_on_ext4_dax, spare_remove),
	cmocka_unit_test_teardown(stale__after_kills_on_xfs_dax, spare_remove),
	cmocka_unit_test_teardown(stale__after_kills_on_ext4_page_cache, spare_remove),
	cmocka_unit_test_teardown(stale__after_kills_on_xfs_page_cache, spare_remove),
};

TEST_MAIN(cases)
