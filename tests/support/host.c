/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.c -- the real operating system under a fake device.
 */
#include "support/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/test.h"

/* Long for a machine that is busy, and shorter than what the library may wait for a lease. */
#define EVENT_S 15

static struct pinreg_sys table;

struct pinreg_domain *host_domain(unsigned int quiesce_ms)
{
	const struct pinreg_sys *fake = fake_device_sys();
	struct pinreg_device device;
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	fake_device_use(&device);
	table = pinreg_sys_real;
	table.device_query = fake->device_query;
	table.port_query = fake->port_query;
	table.mr_register = fake->mr_register;
	table.mr_deregister = fake->mr_deregister;
	table.window_make = fake->window_make;
	table.window_bind = fake->window_bind;
	table.window_end = fake->window_end;
	table.loop_open = fake->loop_open;
	table.loop_read = fake->loop_read;
	table.loop_write = fake->loop_write;
	table.loop_fetch_add = fake->loop_fetch_add;
	table.loop_compare_swap = fake->loop_compare_swap;
	table.loop_close = fake->loop_close;

	struct pinreg_domain_opts opts = {
		.size = sizeof(opts),
		.quiesce_ms = quiesce_ms,
		.odp_trust = PINREG_TRUST_FULL,
	};
	struct pinreg_domain *domain;
	test_ok(pinreg_domain_open_with(&table, device.pd, &opts, &domain));
	return domain;
}

void host_domain_close(struct pinreg_domain *domain)
{
	test_ok(pinreg_domain_close(domain));
	assert_int_equal(fake_device_regions(), 0);
}

static char directory[64];

static void remove_directory(void)
{
	host_run("rm -rf '%s'", directory);
}

const char *host_directory(void)
{
	/* on the filesystem of the build, not a tmpfs */
	strcpy(directory, "/var/tmp/pinreg-XXXXXX");
	assert_non_null(mkdtemp(directory));
	atexit(remove_directory);
	return directory;
}

const char *host_path(const char *where, const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", where, name);
	return path;
}

unsigned char host_byte(uint64_t offset)
{
	return (unsigned char)((offset * 2654435761u) >> 13 ^ offset);
}

const char *host_file(const char *path, unsigned int pages)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	for (uint64_t i = 0; i < (uint64_t)pages * 4096; i++)
		putc(host_byte(i), file);
	assert_int_equal(fclose(file), 0);
	return path;
}

static void next_event(struct pinreg_domain *domain, const char *wanted, struct pinreg_event *out)
{
	struct pollfd poll_fd = { .fd = pinreg_domain_event_fd(domain), .events = POLLIN };
	int ready;
	do {
		ready = poll(&poll_fd, 1, EVENT_S * 1000);
	} while (ready < 0 && errno == EINTR); /* the case may be about signals */
	if (ready != 1)
		fail_msg("no event within %d s, '%s' was expected", EVENT_S, wanted);
	out->size = sizeof(*out);
	test_ok(pinreg_domain_next_event(domain, out));
}

void host_any(struct pinreg_domain *domain, struct pinreg_event *out)
{
	next_event(domain, "any", out);
}

void host_expect(struct pinreg_domain *domain, enum pinreg_event_type type,
		 struct pinreg_event *out)
{
	next_event(domain, pinreg_event_name(type), out);
	if (out->type != type)
		fail_msg("event '%s', '%s' was expected", pinreg_event_name(out->type),
			 pinreg_event_name(type));
}

pid_t host_fork(void)
{
	fflush(NULL);
	pid_t child = fork();
	test_ok(child);
	if (!child)
		alarm(60);
	return child;
}

/* input: what it reads, or -1: what we do. */
static int start(const char *command, int input)
{
	pid_t child = fork();
	if (!child) {
		if (input >= 0)
			dup2(input, STDIN_FILENO);
		/* a copy of a descriptor is the same open file, and would keep it */
		close_range(3, ~0u, 0);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	return child;
}

#define FORMAT_COMMAND(command, format)                                                            \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		vsnprintf(command, sizeof(command), format, args);                                 \
		va_end(args);                                                                      \
	} while (0)

int host_start(const char *format, ...)
{
	char command[512];
	FORMAT_COMMAND(command, format);
	return start(command, -1);
}

int host_run(const char *format, ...)
{
	char command[512];
	FORMAT_COMMAND(command, format);
	return host_wait(start(command, -1));
}

/* Who stays reads from a pipe, of which this is our end. */
static struct {
	int process;
	int pipe;
} staying[8];

int host_stay(const char *format, ...)
{
	char command[512], whole[640];
	int ends[2];
	size_t i = 0;
	FORMAT_COMMAND(command, format);
	snprintf(whole, sizeof(whole), "{ %s\n}; status=$?; read -r gone; exit $status", command);
	while (i < 8 && staying[i].process)
		i++;
	assert_true(i < 8);
	test_ok(pipe2(ends, O_CLOEXEC));
	staying[i].process = start(whole, ends[0]);
	staying[i].pipe = ends[1];
	close(ends[0]);
	return staying[i].process;
}

int host_let_go(int process)
{
	size_t i = 0;
	while (i < 8 && staying[i].process != process)
		i++;
	assert_true(i < 8);
	close(staying[i].pipe);
	staying[i].process = 0;
	return host_wait(process);
}

static bool is_breaking(const char *path)
{
	char line[256], inode[32];
	struct stat look;
	bool breaking = false;
	test_ok(stat(path, &look));
	snprintf(inode, sizeof(inode), ":%lu ", (unsigned long)look.st_ino);
	FILE *locks = fopen("/proc/locks", "re");
	assert_non_null(locks);
	while (fgets(line, sizeof(line), locks))
		breaking |= strstr(line, "BREAKING") && strstr(line, inode);
	fclose(locks);
	return breaking;
}

void host_until_breaking(const char *path)
{
	for (unsigned int i = 0; i < EVENT_S * 1000 && !is_breaking(path); i++)
		usleep(1000);
	assert_true(is_breaking(path));
}

int host_start_truncate(const char *path, uint64_t size)
{
	/* not truncate(1), which opens with O_NONBLOCK and so does not wait */
	pid_t child = fork();
	if (!child) {
		close_range(3, ~0u, 0);
		_exit(truncate(path, (off_t)size) ? 1 : 0);
	}
	return child;
}

int host_wait(int process)
{
	int status;
	if (waitpid(process, &status, 0) != process)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
