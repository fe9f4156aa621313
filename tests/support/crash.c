/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash.c -- a process that dies at its n-th system call, for each n.
 */
#include "support/crash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain.h"
#include "file/offline.h"
#include "support/crash_sys.h"
#include "support/fake_device.h"
#include "support/host.h"
#include "support/test.h"

#define PAGES 8u
#define WHOLE (PAGES * 4096u)	     /* of a file with data */
#define OLD (WHOLE - 100u)	     /* where it is to be grown */
#define LENGTH (WHOLE + 64u * 4096u) /* then */
#define CUT (WHOLE / 2u + 50u)	     /* where somebody cuts it */
#define POINTS_MAX 2000u

static const struct crash_place *place;
static enum crash_scene scene;
static const struct pinreg_sys *sys;
static char path[256];
static const char *doing; /* for failures: what is tried */
static unsigned int point;
static bool *through; /* shared with who dies: an open came to its end */

#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("scene %d, point %u, %s: %s", (int)scene, point, doing,           \
				 #condition);                                                      \
	} while (0)

static bool is_new(void)
{
	return scene == CRASH_NEW || scene == CRASH_NEW_SEALED;
}

static bool is_standing(void)
{
	return scene == CRASH_SEAL || scene == CRASH_UNSEAL || scene == CRASH_PREPARE;
}

static bool grows(void)
{
	return scene == CRASH_GROW || scene == CRASH_OPEN_SEALED || scene == CRASH_PREPARE;
}

/* Records in the directory; those that were never finished do no harm. */
static unsigned int records(void)
{
	unsigned int count = 0;
	DIR *directory = opendir(place->directory);
	const struct dirent *entry;
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		count += !strncmp(entry->d_name, ".pinreg-", 8) && !strstr(entry->d_name, ".new");
	closedir(directory);
	return count;
}

static void clean(void)
{
	struct pinreg_recovery_report report = { .size = sizeof(report) };
	pinreg_offline_recover(sys, AT_FDCWD, path, NULL, &report);
	pinreg_offline_unseal(sys, AT_FDCWD, path, NULL);
	unlink(path);
	crash_sys_reset();
	expect(!records());
	host_run("rm -f '%s'/.pinreg-*", place->directory);
}

static struct pinreg_file_opts options(void)
{
	return (struct pinreg_file_opts){
		.size = sizeof(struct pinreg_file_opts),
		.allow_page_cache = place->page_cache,
	};
}

/* As it was before the process that dies. */
static void set_up(void)
{
	if (is_new())
		return;
	host_file(path, PAGES);
	if (grows())
		test_ok(truncate(path, OLD));
	if (scene == CRASH_HOLES) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		test_ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 8192));
		close(fd);
	}
	if (scene == CRASH_SEAL || scene == CRASH_UNSEAL) {
		struct pinreg_file_opts opts = options();
		test_ok(pinreg_offline_prepare(sys, AT_FDCWD, path, &opts, NULL, NULL));
	}
	if (scene == CRASH_UNSEAL)
		test_ok(pinreg_offline_seal(sys, AT_FDCWD, path, NULL));
}

static int open_domain(struct pinreg_domain **domain)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .quiesce_ms = 1 };
	struct pinreg_device device;
	fake_device_reset();
	fake_device_use(&device);
	return pinreg_domain_open_with(sys, device.pd, &opts, domain);
}

static int wait_restored(struct pinreg_domain *domain)
{
	struct pinreg_event event = { .size = sizeof(event) };
	for (unsigned int ms = 0; ms < 15000; ms++) {
		while (!pinreg_domain_next_event(domain, &event)) {
			if (event.type == PINREG_EVENT_RESTORED)
				return 0;
			if (event.type == PINREG_EVENT_LOST)
				return -EIO;
		}
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* In the process that dies, with an open file. */
static int act_with_file(unsigned int number)
{
	struct pinreg_file_opts opts = options();
	struct pinreg_domain *domain;
	struct pinreg_file *file;
	bool visited = scene == CRASH_BREAK || scene == CRASH_REGROW;
	bool later = scene == CRASH_CLOSE || visited;
	opts.create = is_new();
	opts.length = is_new() || grows() ? LENGTH : 0;
	opts.seal = scene == CRASH_NEW || scene == CRASH_GROW || scene == CRASH_HOLES
			    ? PINREG_SEAL_LEASE
			    : PINREG_SEAL_IMMUTABLE;
	int status = open_domain(&domain);
	if (status)
		return status;
	crash_sys_arm(later ? 0 : number);
	status = pinreg_file_open(domain, AT_FDCWD, path, &opts, NULL, &file);
	if (status)
		return status;
	if (later)
		crash_sys_arm(number);
	if (visited) {
		/* as long as it is sealed nobody can cut it: so he first takes it as a reader */
		int other = scene == CRASH_BREAK
				    ? host_start("cat '%s' > /dev/null", path)
				    : host_start("exec 9<'%s'; truncate -s %u '%s' 2> /dev/null",
						 path, CUT, path);
		status = wait_restored(domain);
		host_wait(other);
		crash_sys_arm(0);
	}
	/* of an open, what is left is a death while it is held */
	if (!later) {
		*through = true;
		raise(SIGKILL);
	}
	int closed = pinreg_file_close(file);
	pinreg_domain_close(domain);
	return status ? status : closed;
}

static int act(unsigned int number)
{
	struct pinreg_file_opts opts = options();
	opts.seal = PINREG_SEAL_IMMUTABLE;
	opts.length = LENGTH;
	if (!is_standing())
		return act_with_file(number);
	crash_sys_arm(number);
	if (scene == CRASH_PREPARE)
		return pinreg_offline_prepare(sys, AT_FDCWD, path, &opts, NULL, NULL);
	if (scene == CRASH_SEAL)
		return pinreg_offline_seal(sys, AT_FDCWD, path, NULL);
	return pinreg_offline_unseal(sys, AT_FDCWD, path, NULL);
}

/* Do it, and die on the way. True: it came to its end. */
static bool die(unsigned int number)
{
	int status;
	fflush(NULL);
	*through = false;
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		alarm(60);
		_exit(act(number) ? 1 : 0);
	}
	test_ok(waitpid(child, &status, 0));
	/* its reader became ours, and may have the file open still */
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (WIFSIGNALED(status)) {
		expect(WTERMSIG(status) == SIGKILL);
		return *through;
	}
	expect(WEXITSTATUS(status) == 0);
	return true;
}

/* Existing data is as it was, and zeros are where there was none. */
static void check_bytes(uint64_t data, uint64_t size)
{
	static unsigned char bytes[LENGTH];
	expect(size <= sizeof(bytes));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	expect(read(fd, bytes, sizeof(bytes)) == (ssize_t)size);
	close(fd);
	for (uint64_t i = 0; i < size; i++) {
		bool hole = scene == CRASH_HOLES && i >= 8192 && i < 16384;
		unsigned char right = i < data && !hole ? host_byte(i) : 0;
		if (bytes[i] != right)
			fail_msg("scene %d, point %u, %s: byte %llu", (int)scene, point, doing,
				 (unsigned long long)i);
	}
}

/*
 * Somebody may have cut it. What was cut off may be back as zeros; what had been there
 * may not, nor anything in part.
 */
static void check_cut(uint64_t size, bool ended)
{
	static unsigned char bytes[LENGTH];
	expect(size == CUT || size == WHOLE || size == LENGTH);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	test_ok(fd);
	expect(read(fd, bytes, sizeof(bytes)) == (ssize_t)size);
	close(fd);
	unsigned int kept = 0;
	for (uint64_t i = CUT; i < WHOLE && i < size; i++)
		kept += bytes[i] != 0;
	/* who lives sees it cut, and grows it */
	expect(!ended || (size >= WHOLE && !kept));
	for (uint64_t i = 0; i < size; i++) {
		bool data = i < CUT || (kept && i < WHOLE);
		if (bytes[i] != (data ? host_byte(i) : 0))
			fail_msg("point %u, %s: byte %llu", point, doing, (unsigned long long)i);
	}
}

/*
 * ended: it had come to its end before. reopened: it was opened and closed since.
 * Apart from a standing seal nothing is left of what its owner alone wanted.
 */
static void check(bool ended, bool reopened)
{
	struct stat file;
	bool there = !stat(path, &file);
	bool sealed = crash_sys_flags() & FS_XFLAG_IMMUTABLE;
	expect(records() == (sealed ? 1 : 0));
	if (!is_standing())
		expect(!sealed);
	if (ended && is_standing())
		expect(sealed == (scene != CRASH_UNSEAL));
	if (is_new()) {
		/* one that died before it could say that the file is its own */
		expect(!there || file.st_size == 0 || file.st_size == LENGTH);
		if (there)
			check_bytes(0, (uint64_t)file.st_size);
		return;
	}
	expect(there);
	if (scene == CRASH_REGROW) {
		expect(file.st_size != LENGTH);
		check_cut((uint64_t)file.st_size, ended);
		return;
	}
	uint64_t old = grows() ? OLD : WHOLE;
	uint64_t size = (uint64_t)file.st_size;
	if (size != old && !(grows() && size == LENGTH))
		fail_msg("scene %d, point %u, %s: size %llu", (int)scene, point, doing,
			 (unsigned long long)size);
	if (scene == CRASH_PREPARE && !reopened)
		expect(!sealed || size == LENGTH);
	check_bytes(old, size);
}

static void recover(bool ended)
{
	struct pinreg_recovery_report report = { .size = sizeof(report) };
	struct pinreg_why why;
	char text[256];
	int status = pinreg_offline_recover(sys, AT_FDCWD, path, &why, &report);
	if (status == -ENOENT && is_new())
		return;
	if (status) {
		pinreg_why_describe(&why, text, sizeof(text));
		fail_msg("scene %d, point %u: %d, %s", (int)scene, point, status, text);
	}
	expect(report.recovery != PINREG_RECOVERY_ALIVE);
	expect((report.recovery == PINREG_RECOVERY_STANDING) ==
	       !!(crash_sys_flags() & FS_XFLAG_IMMUTABLE));
	check(ended, false);
	/* once is enough */
	test_ok(status = pinreg_offline_recover(sys, AT_FDCWD, path, &why, &report) == -ENOENT
				 ? 0
				 : status);
	expect(report.recovery == PINREG_RECOVERY_NOTHING ||
	       report.recovery == PINREG_RECOVERY_STANDING ||
	       report.recovery == PINREG_RECOVERY_REMOVED);
}

/* Nobody recovers: the next owner does. */
static void open_again(bool ended)
{
	struct pinreg_file_opts opts = options();
	struct pinreg_domain *domain;
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	char text[256];
	if (access(path, F_OK))
		return;
	opts.length = LENGTH;
	test_ok(open_domain(&domain));
	int status = pinreg_file_open(domain, AT_FDCWD, path, &opts, &why, &file);
	if (!status) {
		test_ok(pinreg_file_close(file));
	} else if (!(is_standing() && status == -EPERM) && !(is_new() && status == -ENOENT)) {
		/* sealed on purpose, or removed because it was not finished */
		pinreg_why_describe(&why, text, sizeof(text));
		fail_msg("scene %d, point %u: %d, %s", (int)scene, point, status, text);
	}
	test_ok(pinreg_domain_close(domain));
	expect(crash_sys_flags() & FS_XFLAG_IMMUTABLE ? is_standing() : !records());
	if (status || is_new())
		return;
	struct stat file_now;
	test_ok(stat(path, &file_now));
	expect(file_now.st_size == LENGTH);
	if (scene == CRASH_REGROW)
		check_cut(LENGTH, ended);
	else
		check_bytes(grows() ? OLD : WHOLE, LENGTH);
}

void crash_everywhere(const struct crash_place *where, enum crash_scene what)
{
	static const char *const names[] = { "new",	   "grow",   "holes",  "open sealed",
					     "new sealed", "close",  "break",  "regrow",
					     "seal",	   "unseal", "prepare" };
	static void (*const ends[])(bool ended) = { recover, open_again };
	static const char *const end_names[] = { "recover", "open again" };
	place = where;
	scene = what;
	snprintf(path, sizeof(path), "%s/crash", place->directory);
	sys = crash_sys(place->fake_flags, path);
	test_ok(prctl(PR_SET_CHILD_SUBREAPER, 1));
	through = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(through, MAP_FAILED);
	for (size_t i = 0; i < 2; i++) {
		bool ended = false;
		doing = end_names[i];
		for (point = 1; !ended && point < POINTS_MAX; point++) {
			clean();
			set_up();
			ended = die(point);
			ends[i](ended);
		}
		expect(point < POINTS_MAX);
		printf("%s, %s: died at %u points, then: %s\n", place->directory, names[scene],
		       point - 2, doing);
	}
	clean();
}
