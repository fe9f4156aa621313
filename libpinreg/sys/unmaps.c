/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unmaps.c -- hearing of memory that is unmapped, moved or emptied, by a userfaultfd.
 *
 * Mappings are registered for write protection, and nothing is ever protected: so there
 * are no faults to serve, but the kernel stops who unmaps a part of them until the message
 * about it is read. See docs/kernel-facts.md, "Hearing of unmapping".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fork.h"
#include "sys/real.h"
#include "sys/unmaps_abi.h"

/* Messages read at once; each may be of two ranges. */
#define AT_ONCE 16u

static int agree(int fd, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	return ioctl(fd, UFFDIO_API, &api) ? -errno : 0;
}

int pinreg_real_unmaps_open(const char **step)
{
	const uint64_t events =
		UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE;
	*step = "userfaultfd";
	pinreg_fork_begin();
	/* user mode only: that needs no privilege, and there are no faults anyway */
	long made = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	int fd = pinreg_fork_opened((int)made);
	if (fd < 0)
		return fd;
	*step = "UFFDIO_API";
	int status = agree(fd, events | PINREG_UFFD_FEATURE_WP_ASYNC);
	if (status == -EINVAL)
		status = agree(fd, events); /* Linux 6.1: of files it then knows shmem only */
	if (status)
		pinreg_real_file_close(fd);
	return status ? status : fd;
}

int pinreg_real_unmaps_watch(int fd, uint64_t addr, uint64_t length)
{
	struct uffdio_register range = {
		.range = { .start = addr, .len = length },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	return ioctl(fd, UFFDIO_REGISTER, &range) ? -errno : 0;
}

int pinreg_real_unmaps_unwatch(int fd, uint64_t addr, uint64_t length)
{
	struct uffdio_range range = { .start = addr, .len = length };
	return ioctl(fd, UFFDIO_UNREGISTER, &range) ? -errno : 0;
}

static unsigned int translate(const struct uffd_msg *message, struct pinreg_unmap *out)
{
	switch (message->event) {
	case UFFD_EVENT_REMAP:
		out[0] = (struct pinreg_unmap){ .addr = message->arg.remap.from,
						.length = message->arg.remap.len };
		out[1] = (struct pinreg_unmap){ .addr = message->arg.remap.to,
						.length = message->arg.remap.len };
		return 2;
	case UFFD_EVENT_UNMAP:
	case UFFD_EVENT_REMOVE:
		out[0] = (struct pinreg_unmap){
			.addr = message->arg.remove.start,
			.length = message->arg.remove.end - message->arg.remove.start,
			.later = message->event == UFFD_EVENT_REMOVE,
		};
		return 1;
	default:
		return 0; /* a fault: there can be none */
	}
}

int pinreg_real_unmaps_next(int fd, struct pinreg_unmap *out, unsigned int room)
{
	struct uffd_msg messages[AT_ONCE];
	unsigned int want = room / 2 < AT_ONCE ? room / 2 : AT_ONCE;
	unsigned int count = 0;
	ssize_t got;
	do {
		got = read(fd, messages, want * sizeof(messages[0]));
		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		for (size_t i = 0; i < (size_t)got / sizeof(messages[0]); i++)
			count += translate(&messages[i], out + count);
	} while (!count && got);
	return (int)count;
}

int pinreg_real_unmaps_pending(int fd)
{
	/* a range of no bytes: refused, but what is under way is looked at before that */
	struct uffdio_writeprotect nothing = { .range = { .start = 0, .len = 0 } };
	if (!ioctl(fd, UFFDIO_WRITEPROTECT, &nothing))
		return 0;
	return errno == EAGAIN ? 1 : errno == EINVAL ? 0 : -errno;
}

int pinreg_real_unmaps_wait(int fd, int event, bool *message, bool *raised)
{
	struct pollfd polls[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = event, .events = POLLIN },
	};
	if (poll(polls, 2, -1) < 0 && errno != EINTR)
		return -errno;
	*message = polls[0].revents;
	*raised = polls[1].revents;
	return 0;
}
