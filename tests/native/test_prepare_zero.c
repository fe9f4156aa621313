/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_prepare_zero.c -- zeroing what holds no data: by how many threads, which parts,
 * told and ended how. The table says that the host's files are DAX files: they are
 * zeroed through a mapping then, which page cache bears as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

#define MIB ((uint64_t)1 << 20)
#define LENGTH (64 * MIB)

static struct {
	atomic_uint populated;
	atomic_ullong bytes;
	atomic_ullong lowest; /* offset in the window */
	atomic_uint foreign;  /* populated by another thread than the caller */
	atomic_uint allocations, resizes, zeroings, windows;
	atomic_uint waits_after; /* populated so much: somebody waits; 0: nobody */
	atomic_bool told;	 /* the caller, that somebody waits */
	atomic_bool shared;	 /* the caller leaves some of it to others */
	atomic_bool cpus_asked;
	char *window;
	pthread_t caller;
} seen;

static int populate(void *addr, uint64_t length, bool write)
{
	uint64_t offset = (uint64_t)((char *)addr - seen.window);
	unsigned long long lowest = seen.lowest;
	bool foreign = !pthread_equal(pthread_self(), seen.caller);
	seen.foreign += foreign;
	/* only the caller asks, and must come to it before the others are done */
	while (foreign && seen.waits_after && seen.populated >= seen.waits_after && !seen.told)
		hooks_nap(1);
	while (!foreign && seen.shared && !seen.foreign)
		hooks_nap(1);
	atomic_fetch_add(&seen.bytes, length);
	while (offset < lowest && !atomic_compare_exchange_weak(&seen.lowest, &lowest, offset))
		;
	atomic_fetch_add(&seen.populated, 1);
	return pinreg_sys_real.populate(addr, length, write);
}

static int map(int fd, uint64_t length, bool sync, void **out)
{
	int status = pinreg_sys_real.map(fd, length, sync, out);
	if (!sync && !seen.windows++)
		seen.window = *out;
	return status;
}

static void cpus(struct pinreg_cpus *out)
{
	pinreg_sys_real.cpus(out);
	out->count = 4;
	seen.cpus_asked = true;
}

static int look(int fd, struct pinreg_file_look *out)
{
	int status = pinreg_sys_real.file_look(fd, out);
	out->dax = true;
	return status;
}

static int allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	seen.allocations++;
	return pinreg_sys_real.file_allocate(fd, mode, offset, length);
}

static int resize(int fd, uint64_t size)
{
	seen.resizes++;
	return pinreg_sys_real.file_resize(fd, size);
}

static int zero(int fd, uint64_t offset, uint64_t length)
{
	seen.zeroings++;
	return pinreg_sys_real.file_zero(fd, offset, length);
}

static int lease_get(int fd, int *type)
{
	int status = pinreg_sys_real.lease_get(fd, type);
	if (seen.waits_after && seen.populated >= seen.waits_after) {
		*type = F_RDLCK;
		seen.told = true;
	}
	return status;
}

static struct pinreg_domain *domain;
static struct pinreg_file_opts opts;

static void forget(void)
{
	memset(&seen, 0, sizeof(seen));
	seen.lowest = UINT64_MAX;
	seen.caller = pthread_self();
}

static const char *start(void)
{
	static char path[256];
	hooks.populate = populate;
	hooks.map = map;
	hooks.cpus = cpus;
	hooks.file_look = look;
	hooks.file_allocate = allocate;
	hooks.file_resize = resize;
	hooks.file_zero = zero;
	hooks.lease_get = lease_get;
	domain = hooks_domain(1);
	opts = (struct pinreg_file_opts){ .size = sizeof(opts), .length = LENGTH };
	strcpy(path, host_path(host_directory(), "file"));
	forget();
	return path;
}

/* Prepare it, look at the bytes behind what host_file() made, close. */
static struct pinreg_file_info prepare(const char *path, unsigned int pages)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	int status = pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file);
	if (status)
		fail_msg("%d, %s", status, pinreg_reason_name(why.reason));
	test_ok(pinreg_file_query(file, &info));
	const unsigned char *memory = info.addr;
	for (uint64_t i = 0; i < pages * UINT64_C(4096); i++)
		if (memory[i] != host_byte(i))
			fail_msg("byte %llu of the data changed", (unsigned long long)i);
	for (uint64_t i = pages * UINT64_C(4096); i < info.length; i++)
		if (memory[i])
			fail_msg("byte %llu is not 0", (unsigned long long)i);
	test_ok(pinreg_file_close(file));
	return info;
}

static int try(const char *path, struct pinreg_why *why)
{
	struct pinreg_file *file = NULL;
	return pinreg_file_open(domain, AT_FDCWD, path, &opts, why, &file);
}

static struct stat stat_of(const char *path)
{
	struct stat now;
	test_ok(stat(path, &now));
	return now;
}

static void threads__share_the_holes(void **state)
{
	(void)state;
	const char *path = start();
	host_file(path, 4);
	opts.threads = 4;
	seen.shared = true;
	assert_int_equal(prepare(path, 4).zeroed, LENGTH - 4 * 4096);
	assert_int_equal(seen.bytes, LENGTH - 4 * 4096);
	assert_int_equal(seen.lowest, 4 * 4096);
	assert_true(seen.foreign > 0);
	assert_int_equal(seen.zeroings, 0);
	host_domain_close(domain);
}

static void threads__one_is_the_caller(void **state)
{
	(void)state;
	const char *path = start();
	host_file(path, 4);
	opts.threads = 1;
	prepare(path, 4);
	assert_int_equal(seen.bytes, LENGTH - 4 * 4096);
	assert_int_equal(seen.foreign, 0);
	assert_false(seen.cpus_asked);
	host_domain_close(domain);
}

static void holes__only_they_are_touched(void **state)
{
	(void)state;
	uint64_t expected = 0;
	struct stat before;
	const char *path = start();
	host_file(path, 8192);
	opts.length = 0;
	opts.threads = 4;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	/* of all sizes, also some within one piece of work, and one across several */
	for (uint64_t at = 8192; at < 16 * MIB; at *= 2) {
		test_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
				  (off_t)at / 2));
		expected += at / 2;
	}
	close(fd);
	before = stat_of(path);
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	test_ok(pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file));
	struct pinreg_file_info info = { .size = sizeof(info) };
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.zeroed, expected);
	assert_int_equal(seen.bytes, expected);
	const unsigned char *memory = info.addr;
	for (uint64_t i = 0, hole = 8192; i < info.length; i++) {
		if (i >= hole * 2 && hole < 8 * MIB)
			hole *= 2;
		bool gone = i >= hole && i < hole + hole / 2;
		if (memory[i] != (gone ? 0 : host_byte(i)))
			fail_msg("byte %llu", (unsigned long long)i);
	}
	test_ok(pinreg_file_close(file));
	assert_int_equal(stat_of(path).st_size, before.st_size);
	host_domain_close(domain);
}

static void prepared__is_only_looked_at(void **state)
{
	(void)state;
	const char *path = start();
	host_file(path, 4);
	prepare(path, 4);
	forget();
	assert_int_equal(prepare(path, 4).zeroed, 0);
	assert_int_equal(seen.populated, 0);
	assert_int_equal(seen.allocations, 0);
	assert_int_equal(seen.resizes, 0);
	assert_int_equal(seen.zeroings, 0);
	assert_int_equal(seen.windows, 1); /* the one that its owner has */
	host_domain_close(domain);
}

static void prepared__growth_touches_the_new_part_only(void **state)
{
	(void)state;
	const char *path = start();
	host_file(path, 4);
	opts.length = 16 * MIB;
	prepare(path, 4);
	forget();
	opts.length = LENGTH;
	assert_int_equal(prepare(path, 4).zeroed, LENGTH - 16 * MIB);
	assert_int_equal(seen.bytes, LENGTH - 16 * MIB);
	assert_int_equal(seen.lowest, 16 * MIB);
	assert_int_equal(seen.resizes, 1);
	host_domain_close(domain);
}

static void growth__of_a_size_that_is_not_whole_pages(void **state)
{
	(void)state;
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	const char *path = start();
	host_file(path, 4);
	test_ok(truncate(path, 3 * 4096 + 100));
	opts.length = 8 * 4096;
	test_ok(pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file));
	test_ok(pinreg_file_query(file, &info));
	assert_int_equal(info.zeroed, 8 * 4096 - (3 * 4096 + 100));
	assert_int_equal(seen.zeroings, 1);
	const unsigned char *memory = info.addr;
	for (unsigned int i = 0; i < info.length; i++)
		if (memory[i] != (i < 3 * 4096 + 100 ? host_byte(i) : 0))
			fail_msg("byte %u", i);
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
}

static struct {
	uint64_t last;
	unsigned int calls;
	unsigned int cancel_at;
} told;

static int progress(void *context, uint64_t done, uint64_t total)
{
	assert_ptr_equal(context, &told);
	assert_true(pthread_equal(pthread_self(), seen.caller));
	assert_int_equal(total, LENGTH - 4 * 4096);
	assert_true(done >= told.last && done <= total);
	told.last = done;
	return ++told.calls == told.cancel_at;
}

static void progress__comes_to_the_total(void **state)
{
	(void)state;
	const char *path = start();
	host_file(path, 4);
	opts.progress = progress;
	opts.progress_context = &told;
	prepare(path, 4);
	assert_int_equal(told.last, LENGTH - 4 * 4096);
	/* and where nothing is to be done, there is nothing to tell */
	told.calls = 0;
	prepare(path, 4);
	assert_int_equal(told.calls, 0);
	host_domain_close(domain);
}

static void progress__cancels(void **state)
{
	(void)state;
	struct pinreg_why why;
	const char *path = start();
	host_file(path, 4);
	struct stat before = stat_of(path);
	opts.progress = progress;
	opts.progress_context = &told;
	told.cancel_at = 1;
	assert_int_equal(try(path, &why), -ECANCELED);
	assert_int_equal(why.reason, PINREG_REASON_FILE_CANCELLED);
	assert_int_equal(why.error, -ECANCELED);
	assert_int_equal(told.calls, 1);
	assert_int_equal(stat_of(path).st_size, before.st_size);
	assert_int_equal(stat_of(path).st_blocks, before.st_blocks);
	/* a valid file: it can be prepared */
	memset(&told, 0, sizeof(told));
	opts.progress = NULL;
	prepare(path, 4);

	unlink(path);
	opts.create = 1;
	opts.length = LENGTH - 4 * 4096; /* as progress() expects */
	opts.progress = progress;
	told.cancel_at = 1;
	assert_int_equal(try(path, &why), -ECANCELED);
	assert_int_equal(access(path, F_OK), -1);
	host_domain_close(domain);
}

static void taken__between_two_pieces(void **state)
{
	(void)state;
	struct pinreg_why why;
	const char *path = start();
	host_file(path, 4);
	struct stat before = stat_of(path);
	opts.threads = 1;
	seen.waits_after = 3;
	assert_int_equal(try(path, &why), -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_FILE_TAKEN);
	assert_int_equal(seen.populated, 3);
	assert_int_equal(stat_of(path).st_size, before.st_size);
	assert_int_equal(stat_of(path).st_blocks, before.st_blocks);
	host_domain_close(domain);
}

static void taken__ends_all_threads(void **state)
{
	(void)state;
	struct pinreg_why why;
	const char *path = start();
	host_file(path, 4);
	opts.threads = 4;
	seen.waits_after = 4;
	assert_int_equal(try(path, &why), -EBUSY);
	assert_int_equal(why.reason, PINREG_REASON_FILE_TAKEN);
	assert_true(seen.populated < LENGTH / (4 * MIB));
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(threads__share_the_holes),
	cmocka_unit_test(threads__one_is_the_caller),
	cmocka_unit_test(holes__only_they_are_touched),
	cmocka_unit_test(prepared__is_only_looked_at),
	cmocka_unit_test(prepared__growth_touches_the_new_part_only),
	cmocka_unit_test(growth__of_a_size_that_is_not_whole_pages),
	cmocka_unit_test(progress__comes_to_the_total),
	cmocka_unit_test(progress__cancels),
	cmocka_unit_test(taken__between_two_pieces),
	cmocka_unit_test(taken__ends_all_threads),
};

TEST_MAIN(cases)
