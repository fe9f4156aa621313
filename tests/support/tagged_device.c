/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tagged_device.c -- registrations that know the tags of their pages.
 */
#include "support/tagged_device.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "domain.h"
#include "support/fake_device.h"
#include "support/test.h"

#define AT_ONCE 512u /* pages */

struct tagged_device tagged_device;
struct pinreg_sys tagged_sys;

/* protects what is here */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tagged_mr table[TAGGED_MAX];
static uint32_t unused[TAGGED_MAX]; /* those that were deregistered, a stack */
static uint32_t unused_count, used;
static uint32_t serial;

static _Atomic(uint64_t) last_tag;

static uint64_t page_of(uint64_t addr)
{
	return addr / TAGGED_PAGE;
}

static size_t pages_of(uint64_t addr, uint64_t length)
{
	return (size_t)(page_of(addr + length - 1) - page_of(addr) + 1);
}

void tagged_fill(void *addr, size_t length)
{
	uint64_t first = page_of((uintptr_t)addr);
	for (size_t i = 0; i < pages_of((uintptr_t)addr, length); i++) {
		uint64_t *word = (uint64_t *)(uintptr_t)((first + i) * TAGGED_PAGE);
		__atomic_store_n(word, ++last_tag, __ATOMIC_RELAXED);
	}
}

/* As the kernel would: memory that another thread unmaps is an error, not a signal. */
static int read_tags(uint64_t first, size_t count, uint64_t *out)
{
	struct iovec there[AT_ONCE];
	for (size_t done = 0; done < count;) {
		size_t now = count - done < AT_ONCE ? count - done : AT_ONCE;
		struct iovec here = { out + done, now * sizeof(*out) };
		for (size_t i = 0; i < now; i++)
			there[i] = (struct iovec){
				(void *)(uintptr_t)((first + done + i) * TAGGED_PAGE), sizeof(*out)
			};
		/* not through the C library: a sanitizer would take it for the program's access */
		long got = syscall(SYS_process_vm_readv, getpid(), &here, 1ul, there, now, 0ul);
		if (got != (long)here.iov_len)
			return -EFAULT;
		done += now;
	}
	for (size_t i = 0; tagged_device.filled_only && i < count; i++)
		if (!out[i])
			return -EFAULT;
	return 0;
}

static struct tagged_mr *take(size_t pages)
{
	uint32_t number = unused_count ? unused[--unused_count] : used++;
	assert_true(number < TAGGED_MAX);
	struct tagged_mr *mr = &table[number];
	if (mr->room < pages) {
		free(mr->tags);
		mr->tags = malloc(pages * sizeof(*mr->tags));
		assert_non_null(mr->tags);
		mr->room = pages;
	}
	return mr;
}

static void give_back(struct tagged_mr *mr)
{
	mr->key = 0;
	unused[unused_count++] = (uint32_t)(mr - table);
}

/* Under the lock: nobody deregisters between the tags and the registration. */
static int register_locked(struct ibv_pd *pd, void *addr, size_t length, unsigned int access,
			   struct ibv_mr **out)
{
	struct tagged_mr *mr = take(tagged_device.no_tags ? 0 : pages_of((uintptr_t)addr, length));
	int status = 0;
	if (!tagged_device.no_tags)
		status = read_tags(page_of((uintptr_t)addr), pages_of((uintptr_t)addr, length),
				   mr->tags);
	if (status) {
		give_back(mr);
		return status;
	}
	serial = serial % (UINT32_MAX / TAGGED_MAX) + 1; /* never 0 */
	uint32_t key = serial * TAGGED_MAX + (uint32_t)(mr - table);
	mr->mr = (struct ibv_mr){
		.pd = pd,
		.addr = addr,
		.length = length,
		.lkey = key,
		.rkey = key,
	};
	mr->access = access;
	mr->addr = (uintptr_t)addr;
	mr->length = length;
	mr->key = key;
	tagged_device.made++;
	tagged_device.live++;
	if (tagged_device.registered)
		tagged_device.registered(mr);
	*out = &mr->mr;
	return 0;
}

static int mr_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
		       unsigned int access, struct ibv_mr **out)
{
	assert_true(iova == (uintptr_t)addr);
	int status = tagged_device.registers ? tagged_device.registers(addr, length, access) : 0;
	if (status)
		return status;
	pthread_mutex_lock(&lock);
	status = register_locked(pd, addr, length, access, out);
	pthread_mutex_unlock(&lock);
	return status;
}

static int mr_deregister(struct ibv_mr *verbs_mr)
{
	struct tagged_mr *mr = (struct tagged_mr *)(void *)verbs_mr;
	int status = tagged_device.deregisters ? tagged_device.deregisters(mr) : 0;
	if (status)
		return status;
	pthread_mutex_lock(&lock);
	assert_int_not_equal(mr->key, 0);
	tagged_device.live--;
	if (tagged_device.deregistered)
		tagged_device.deregistered(mr);
	give_back(mr);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int memlock_none(struct pinreg_memlock *out)
{
	*out = (struct pinreg_memlock){ .limit = UINT64_MAX };
	return 0;
}

void tagged_set_up(void)
{
	const struct pinreg_sys *fake = fake_device_sys();
	if (tagged_sys.mr_register)
		return;
	fake_device_reset();
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	tagged_sys = pinreg_sys_real;
	tagged_sys.device_query = fake->device_query;
	tagged_sys.port_query = fake->port_query;
	tagged_sys.mr_register = mr_register;
	tagged_sys.mr_deregister = mr_deregister;
	tagged_sys.memlock = memlock_none;
}

struct pinreg_domain *tagged_domain(const struct pinreg_domain_opts *opts)
{
	struct pinreg_domain_opts own = { .size = sizeof(own), .odp_trust = PINREG_TRUST_FULL };
	struct pinreg_domain *domain = NULL;
	struct pinreg_device device;
	tagged_set_up();
	fake_device_use(&device);
	test_ok(pinreg_domain_open_with(&tagged_sys, device.pd, opts ? opts : &own, &domain));
	return domain;
}

void tagged_domain_close(struct pinreg_domain *domain)
{
	test_ok(pinreg_domain_close(domain));
	assert_int_equal(tagged_device.live, 0);
}

struct tagged_mr *tagged_find(const struct pinreg_keys *keys)
{
	struct tagged_mr *mr = &table[keys->lkey % TAGGED_MAX];
	return keys->lkey && mr->key == keys->lkey ? mr : NULL;
}

static bool is_wrong(const char **wrong, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool is_wrong(const char **wrong, const char *format, ...)
{
	static _Thread_local char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	*wrong = text;
	return false;
}

bool tagged_leads(const struct pinreg_keys *keys, const void *addr, size_t length,
		  unsigned int access, const char **wrong)
{
	const struct tagged_mr *mr = tagged_find(keys);
	uint64_t start = (uintptr_t)addr;
	if (!mr)
		return is_wrong(wrong, "the keys are dead");
	if (mr->addr != keys->addr || mr->length != keys->length)
		return is_wrong(wrong, "the keys say another range than that of the registration");
	if (start < mr->addr || start + length > mr->addr + mr->length)
		return is_wrong(wrong, "%zu bytes at %p are not in %lu at 0x%lx", length, addr,
				(unsigned long)mr->length, (unsigned long)mr->addr);
	if ((mr->access & access) != access)
		return is_wrong(wrong, "rights 0x%x, not 0x%x", mr->access, access);
	if (mr->access & IBV_ACCESS_ON_DEMAND || tagged_device.no_tags)
		return true;
	for (size_t i = 0; i < pages_of(start, length); i++) {
		uint64_t page = page_of(start) + i;
		uint64_t now = __atomic_load_n((uint64_t *)(uintptr_t)(page * TAGGED_PAGE),
					       __ATOMIC_RELAXED);
		uint64_t then = mr->tags[page - page_of(mr->addr)];
		if (now != then)
			return is_wrong(wrong,
					"stale: tag %lu at 0x%lx, and %lu when it was registered",
					(unsigned long)now, (unsigned long)(page * TAGGED_PAGE),
					(unsigned long)then);
	}
	/* and it is still alive */
	if (!tagged_find(keys))
		return is_wrong(wrong, "deregistered while it is held");
	return true;
}

void tagged_check(const struct pinreg_keys *keys, const void *addr, size_t length,
		  unsigned int access)
{
	const char *wrong = NULL;
	if (!tagged_leads(keys, addr, length, access, &wrong))
		fail_msg("%s", wrong);
}
