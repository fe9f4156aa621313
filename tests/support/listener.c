/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.c -- a monitor of a cache, and what it heard.
 */
#include "support/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/test.h"

struct pinreg_sys listener_table;

static void begin(void *context)
{
	struct listener *listener = context;
	listener->changing = true;
	listener->begun++;
	pthread_mutex_lock(&listener->gate);
	pthread_mutex_unlock(&listener->gate);
}

static void changed(void *context, uint64_t addr, uint64_t length)
{
	struct listener *listener = context;
	pthread_mutex_lock(&listener->lock);
	if (listener->count < LISTENER_ROOM) {
		listener->heard[listener->count].addr = addr;
		listener->heard[listener->count].length = length;
		listener->count++;
	}
	pthread_mutex_unlock(&listener->lock);
}

static void end(void *context)
{
	struct listener *listener = context;
	listener->changing = false;
}

static const struct pinreg_cache_monitor_hooks hooks = { begin, changed, end };

/* Something in place of the page of our own, watched or not. */
static void replace_page(struct listener *listener, int fixed)
{
	listener->page = mmap(listener->page, LISTENER_PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
	assert_ptr_not_equal(listener->page, MAP_FAILED);
}

int listener_try(struct listener *listener, const struct pinreg_sys *sys, bool strict,
		 struct pinreg_why *why)
{
	memset(listener, 0, sizeof(*listener));
	pthread_mutex_init(&listener->gate, NULL);
	pthread_mutex_init(&listener->lock, NULL);
	replace_page(listener, 0);
	return pinreg_monitor_start(&listener->monitor, sys ? sys : &pinreg_sys_real, &hooks,
				    listener, strict, why);
}

struct pinreg_sys *listener_real_table(void)
{
	listener_table = pinreg_sys_real;
	return &listener_table;
}

void listener_start(struct listener *listener, bool strict)
{
	struct pinreg_why why;
	char text[256];
	int status = listener_try(listener, NULL, strict, &why);
	if (status) {
		pinreg_why_describe(&why, text, sizeof(text));
		print_error("%s\n", text);
	}
	test_ok(status);
}

void listener_stop(struct listener *listener)
{
	pinreg_monitor_stop(&listener->monitor);
	test_ok(munmap(listener->page, LISTENER_PAGE));
}

char *listener_pages(struct listener *listener, size_t pages)
{
	size_t length = pages * LISTENER_PAGE;
	char *memory =
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memset(memory, 1, length);
	if (listener)
		listener_watch(listener, memory, length);
	return memory;
}

void listener_watch(struct listener *listener, const void *addr, size_t length)
{
	test_ok(pinreg_monitor_watch(&listener->monitor, (uintptr_t)addr, length));
}

/* exactly: the range itself; else: a byte of it. */
static bool find(struct listener *listener, const void *addr, size_t length, bool exactly)
{
	uint64_t start = (uintptr_t)addr;
	bool found = false;
	pthread_mutex_lock(&listener->lock);
	assert_true(listener->count < LISTENER_ROOM);
	for (unsigned int i = 0; i < listener->count; i++) {
		uint64_t from = listener->heard[i].addr, bytes = listener->heard[i].length;
		found |= exactly ? from == start && bytes == length
				 : from < start + length && start < from + bytes;
	}
	pthread_mutex_unlock(&listener->lock);
	return found;
}

/* Messages come in order: so after that of a page of our own all others have come. */
static void settle(struct listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	unsigned int before = listener->count;
	pthread_mutex_unlock(&listener->lock);
	listener_watch(listener, listener->page, LISTENER_PAGE);
	replace_page(listener, MAP_FIXED);
	for (bool told = false; !told || listener->changing; sched_yield()) {
		pthread_mutex_lock(&listener->lock);
		for (unsigned int i = before; i < listener->count; i++)
			told |= listener->heard[i].addr == (uintptr_t)listener->page;
		pthread_mutex_unlock(&listener->lock);
	}
}

bool listener_heard(struct listener *listener, const void *addr, size_t length)
{
	settle(listener);
	return find(listener, addr, length, true);
}

bool listener_touched(struct listener *listener, const void *addr, size_t length)
{
	settle(listener);
	return find(listener, addr, length, false);
}

void listener_forget(struct listener *listener)
{
	settle(listener);
	pthread_mutex_lock(&listener->lock);
	listener->count = 0;
	pthread_mutex_unlock(&listener->lock);
}

bool listener_watches(struct listener *listener, void *addr, size_t length)
{
	listener_forget(listener);
	test_ok(madvise(addr, length, MADV_DONTNEED));
	return listener_touched(listener, addr, length);
}

int listener_other(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int other = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	test_ok(other);
	test_ok(ioctl(other, UFFDIO_API, &api));
	return other;
}

int listener_other_register(int other, const void *addr, size_t length)
{
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)addr, .len = length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	return ioctl(other, UFFDIO_REGISTER, &range) ? -errno : 0;
}

/* Only in memory that is registered with it can it put a page. */
bool listener_other_has(int other, const void *addr, size_t length)
{
	struct uffdio_zeropage range = { .range = { .start = (uintptr_t)addr, .len = length } };
	return !ioctl(other, UFFDIO_ZEROPAGE, &range) || errno == EEXIST;
}
