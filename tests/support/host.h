/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h -- the real operating system under a fake device: what files, leases
 * and threads do, tested where there is no RDMA.
 */
#ifndef PINREG_TESTS_SUPPORT_HOST_H
#define PINREG_TESTS_SUPPORT_HOST_H

#include <sys/types.h>

#include <pinreg/pinreg.h>

/* The real table with the verbs of fake_device.h, whose ODP is trusted. */
struct pinreg_domain *host_domain(unsigned int quiesce_ms);

/* Close it; fails the test if anything is left registered. */
void host_domain_close(struct pinreg_domain *domain);

/* The path of a new, empty directory, removed with its content at exit. */
const char *host_directory(void);

/* directory/name, in a static buffer that the next call overwrites. */
const char *host_path(const char *directory, const char *name);

/* A file of that many pages of non-uniform bytes. Gives its path back. */
const char *host_file(const char *path, unsigned int pages);

/* The byte that host_file() puts at an offset. */
unsigned char host_byte(uint64_t offset);

/* The next event, waiting up to fifteen seconds. */
void host_any(struct pinreg_domain *domain, struct pinreg_event *out);

/* The same; fails the test if it is another. */
void host_expect(struct pinreg_domain *domain, enum pinreg_event_type type,
		 struct pinreg_event *out);

/*
 * Run a shell command in a child that has none of our descriptors. Its exit
 * status; host_start does not wait and gives the process.
 */
int host_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
int host_start(const char *format, ...) __attribute__((format(printf, 1, 2)));
int host_start_truncate(const char *path, uint64_t size);
int host_wait(int process);

/*
 * The same, and it stays when the command has run, with all that this has opened
 * (exec 9>>FILE), until it is told to go, or the test ends. The second gives the status of
 * the command.
 */
int host_stay(const char *format, ...) __attribute__((format(printf, 1, 2)));
int host_let_go(int process);

/* Wait until somebody waits for the lease on the file. */
void host_until_breaking(const char *path);

/*
 * fork(), for a child that must not wait for ever: it ends after a minute. What fails
 * in it leaves the case as it does in the parent, and ends it with another status than 0.
 */
pid_t host_fork(void);

#endif
