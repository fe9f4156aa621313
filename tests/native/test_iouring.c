/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_iouring.c -- a second opinion without a device: the buffers that
 * io_uring keeps are pinned for long too, by the same rules and always for
 * writing.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "support/host.h"
#include "support/memories.h"
#include "support/runs.h"
#include "support/test.h"

#define RW (PROT_READ | PROT_WRITE)
#define ROWS(rows) rows, sizeof(rows) / sizeof((rows)[0])
#define ANON PINREG_KIND_ANON
#define SHMEM PINREG_KIND_SHMEM
#define CACHE PINREG_KIND_PAGECACHE
#define PRIVATE PINREG_KIND_PRIVATE_FILE
#define SPECIAL PINREG_KIND_SPECIAL

static int ring = -1;

static void open_ring(void)
{
	struct io_uring_params params = { 0 };
	ring = (int)syscall(SYS_io_uring_setup, 8, &params);
	if (ring < 0)
		test_skip("io_uring_setup: %s", strerror(errno));
	/* some kernels take no memory of files at all, whatever it is */
	static const struct memory_row row = {
		"memfd", memory_memfd, NULL, RW, MAP_SHARED, 0, SHMEM
	};
	struct memory memory;
	assert_true(memory_open(&row, &memory));
	struct iovec buffer = { memory.addr, memory.length };
	int status = (int)syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1);
	int error = errno;
	if (!status)
		syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
	memory_close(&memory);
	if (status)
		test_skip("io_uring keeps no memfd: %s", strerror(error));
}

/* Does the kernel pin it? 0 or -errno. */
static int pin(void *addr, size_t length)
{
	struct iovec buffer = { addr, length };
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1))
		return -errno;
	test_ok(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0));
	return 0;
}

/*
 * Before 6.4 io_uring refused memory of files by itself, whatever pinning would
 * have said, unless shmem's own operations were on the mapping: such a refusal
 * is no witness.
 */
static bool refused_before_pinning(int kernel)
{
	struct utsname name;
	unsigned int major = 0, minor = 0;
	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	return kernel == -EOPNOTSUPP && (major < 6 || (major == 6 && minor < 4));
}

/* Is it what the plan says? Counts what is not. */
static unsigned int check(struct pinreg_domain *domain, const char *name, unsigned char *addr,
			  size_t length)
{
	struct pinreg_plan plan = { .size = sizeof(plan) };
	const struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.method = PINREG_METHOD_PIN,
		.allow_private_file = 1,
	};
	char text[512];
	test_ok(pinreg_plan(domain, addr, length, &opts, &plan));
	int kernel = pin(addr, length);
	if ((plan.method == PINREG_METHOD_PIN) == !kernel)
		return 0;
	if (refused_before_pinning(kernel)) {
		printf("no witness: %s: io_uring refuses it by itself\n", name);
		return 0;
	}
	pinreg_plan_describe(&plan, text, sizeof(text));
	printf("WRONG: %s: planned %s, kernel: %s\n", name, text,
	       kernel ? strerror(-kernel) : "pins");
	return 1;
}

static void check_rows(const struct memory_row *rows, size_t count)
{
	open_ring();
	struct pinreg_domain *domain = host_domain(0);
	unsigned int wrong = 0, compared = 0;
	for (size_t i = 0; i < count; i++) {
		struct memory memory;
		if (!memory_open(&rows[i], &memory)) {
			printf("not here: %s: %s\n", rows[i].name, memory.missing);
			continue;
		}
		wrong += check(domain, rows[i].name, memory.addr, memory.length);
		wrong += check(domain, rows[i].name, memory.addr + 1001, memory.length - 2003);
		compared += 2;
		memory_close(&memory);
	}
	printf("%u compared\n", compared);
	host_domain_close(domain);
	close(ring);
	if (wrong)
		fail_msg("plan and kernel disagree %u times", wrong);
}

static void iouring__anonymous(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "touched", memory_anonymous, NULL, RW, MAP_PRIVATE, MEMORY_TOUCHED, ANON },
		{ "untouched", memory_anonymous, NULL, RW, MAP_PRIVATE, 0, ANON },
		{ "PROT_READ", memory_anonymous, NULL, PROT_READ, MAP_PRIVATE, 0, ANON },
		{ "PROT_NONE", memory_anonymous, NULL, PROT_NONE, MAP_PRIVATE, 0, ANON },
		{ "huge, touched", memory_thp, NULL, RW, 0, MEMORY_TOUCHED, ANON },
		{ "huge, untouched", memory_thp, NULL, RW, 0, 0, ANON },
		{ "hugetlb", memory_anonymous, NULL, RW, MAP_PRIVATE | MAP_HUGETLB, 0,
		  PINREG_KIND_HUGETLB },
		{ "heap", memory_named, "[heap]", RW, 0, 0, ANON },
		{ "stack", memory_named, "[stack]", RW, 0, 0, ANON },
		{ "a page is missing", memory_holed, NULL, RW, MAP_PRIVATE, 0, ANON },
		{ "nothing there", memory_unmapped, NULL, RW, MAP_PRIVATE, 0, PINREG_KIND_HOLE },
	};
	check_rows(ROWS(rows));
}

static void iouring__shared_memory(void **state)
{
	(void)state;
	static const struct memory_row rows[] = {
		{ "anonymous", memory_anonymous, NULL, RW, MAP_SHARED, 0, SHMEM },
		{ "anonymous, PROT_READ", memory_anonymous, NULL, PROT_READ, MAP_SHARED, 0, SHMEM },
		{ "memfd", memory_memfd, NULL, RW, MAP_SHARED, MEMORY_TOUCHED, SHMEM },
		{ "memfd, past its end", memory_memfd, NULL, RW, MAP_SHARED, MEMORY_SHORT, SHMEM },
		{ "memfd, emptied", memory_memfd, NULL, RW, MAP_SHARED, MEMORY_EMPTIED, SHMEM },
		{ "memfd, private", memory_memfd, NULL, RW, MAP_PRIVATE, 0, PRIVATE },
		{ "System V", memory_system_v, NULL, RW, 0, 0, SHMEM },
		{ "tmpfs", memory_file, "/dev/shm", RW, MAP_SHARED, 0, SHMEM },
		{ "tmpfs, past its end", memory_file, "/dev/shm", RW, MAP_SHARED, MEMORY_SHORT,
		  SHMEM },
	};
	check_rows(ROWS(rows));
}

static void iouring__files(void **state)
{
	(void)state;
	const char *folder = host_directory();
	const struct memory_row rows[] = {
		{ "shared rw", memory_file, folder, RW, MAP_SHARED, 0, CACHE },
		{ "shared rw, touched", memory_file, folder, RW, MAP_SHARED, MEMORY_TOUCHED,
		  CACHE },
		{ "shared ro", memory_file, folder, PROT_READ, MAP_SHARED, 0, CACHE },
		{ "private rw", memory_file, folder, RW, MAP_PRIVATE, 0, PRIVATE },
		{ "private ro", memory_file, folder, PROT_READ, MAP_PRIVATE, 0, PRIVATE },
		{ "past its end", memory_file, folder, RW, MAP_SHARED, MEMORY_SHORT, CACHE },
		{ "deleted", memory_file, folder, RW, MAP_SHARED, MEMORY_DELETED, CACHE },
		{ "secretmem", memory_secret, NULL, RW, MAP_SHARED, 0, SPECIAL },
		{ "vvar", memory_named, "[vvar]", PROT_READ, 0, 0, SPECIAL },
	};
	check_rows(ROWS(rows));
}

static void iouring__guard_pages(void **state)
{
	(void)state;
	static const struct memory_row row = { "guard page", memory_guarded, NULL, RW,
					       MAP_PRIVATE,  MEMORY_TOUCHED, ANON };
	struct memory memory;
	open_ring();
	if (!memory_open(&row, &memory))
		test_skip("%s", memory.missing);
	/* the map does not show it, so the plan cannot know */
	expect_one(memory.addr, memory.length, ANON, READ_WRITE, 0);
	assert_int_equal(pin(memory.addr, memory.length), -EFAULT);

	/* a shadow is filled by reading: it must fail, and not by a signal */
	struct pinreg_domain *domain = host_domain(0);
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = PINREG_METHOD_STAGED };
	struct pinreg_domain_info info = { .size = sizeof(info) };
	struct pinreg_region *region = NULL;
	struct pinreg_why why;
	assert_int_equal(
		pinreg_region_register(domain, memory.addr, memory.length, &opts, &why, &region),
		-EFAULT);
	assert_int_equal(why.reason, PINREG_REASON_VERBS);
	assert_string_equal(why.step, "reading the memory");
	test_ok(pinreg_domain_query(domain, &info));
	assert_int_equal(info.pinned, 0);
	memory_close(&memory);
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(iouring__anonymous),
	cmocka_unit_test(iouring__shared_memory),
	cmocka_unit_test(iouring__files),
	cmocka_unit_test(iouring__guard_pages),
};

TEST_MAIN(cases)
