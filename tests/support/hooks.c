/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.c -- a domain of host.h with some calls replaced, and two files on it.
 */
#include "support/hooks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "domain.h"
#include "support/test.h"

struct pinreg_sys hooks;
pinreg_log_function *hooks_log;
pinreg_event_function *hooks_on_event;
int hooks_break_signal;
char hooks_a[256], hooks_b[256];

#define HOOK(member)                                                                               \
	do {                                                                                       \
		if (hooks.member)                                                                  \
			table->member = hooks.member;                                              \
	} while (0)

/*
 * One for each domain, and never freed: the threads of an earlier one may still
 * look at theirs. The list keeps them from being taken for lost.
 */
static struct pinreg_sys *new_table(void)
{
	static struct kept {
		struct kept *next;
		struct pinreg_sys table;
	} * kept;
	struct kept *one = malloc(sizeof(*one));
	assert_non_null(one);
	*one = (struct kept){ .next = kept, .table = pinreg_sys_real };
	kept = one;
	return &one->table;
}

int hooks_try_domain(unsigned int quiesce_ms, struct pinreg_domain **domain)
{
	/* host_domain() fills fake_device; its own domain is not used */
	host_domain_close(host_domain(0));
	struct pinreg_device device;
	fake_device_use(&device);
	const struct pinreg_sys *fake = fake_device_sys();
	struct pinreg_sys *table = new_table();
	table->device_query = fake->device_query;
	table->port_query = fake->port_query;
	table->mr_register = fake->mr_register;
	table->mr_deregister = fake->mr_deregister;
	table->window_make = fake->window_make;
	table->window_bind = fake->window_bind;
	table->window_end = fake->window_end;
	HOOK(device_query);
	HOOK(mr_register);
	HOOK(path_look);
	HOOK(mr_deregister);
	HOOK(inotify_open);
	HOOK(signals_open);
	HOOK(signals_next);
	HOOK(wait);
	HOOK(file_open);
	HOOK(file_look);
	HOOK(file_resize);
	HOOK(file_flags_get);
	HOOK(file_flags_set);
	HOOK(device_can_dax);
	HOOK(map);
	HOOK(map_over);
	HOOK(map_nobody);
	HOOK(maps_begin);
	HOOK(maps_end);
	HOOK(persist_open);
	HOOK(cpus);
	HOOK(cpus_online);
	HOOK(wait);
	HOOK(lease_get);
	HOOK(lease_take);
	HOOK(lease_break_ns);
	HOOK(file_sync);
	HOOK(file_zero);
	HOOK(file_allocate);
	HOOK(file_extents);
	HOOK(persist_range);
	HOOK(sync_mapping);
	HOOK(populate);
	HOOK(memlock);
	HOOK(device_watch_open);
	HOOK(device_watch_next);
	HOOK(device_watch_close);
	struct pinreg_domain_opts opts = {
		.size = sizeof(opts),
		.quiesce_ms = quiesce_ms,
		.odp_trust = PINREG_TRUST_FULL,
		.log = hooks_log,
		.on_event = hooks_on_event,
		.device_events = hooks.device_watch_open ? 1 : 0,
		.break_signal = hooks_break_signal,
	};
	return pinreg_domain_open_with(table, device.pd, &opts, domain);
}

struct pinreg_domain *hooks_domain(unsigned int quiesce_ms)
{
	struct pinreg_domain *domain = NULL;
	test_ok(hooks_try_domain(quiesce_ms, &domain));
	return domain;
}

const struct pinreg_file_opts hooks_cache_ok = {
	.size = sizeof(hooks_cache_ok),
	.allow_page_cache = 1,
};

void hooks_nap(unsigned int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
	nanosleep(&pause, NULL);
}

struct pinreg_file *hooks_open(struct pinreg_domain *domain, const char *path)
{
	struct pinreg_file *file = NULL;
	struct pinreg_why why;
	int status = pinreg_file_open(domain, AT_FDCWD, path, &hooks_cache_ok, &why, &file);
	if (status)
		fail_msg("%s: %d, %s", path, status, pinreg_reason_name(why.reason));
	return file;
}

struct pinreg_region *hooks_register(struct pinreg_file *file)
{
	struct pinreg_region *region = NULL;
	test_ok(pinreg_file_register(file, 0, 0, NULL, NULL, &region));
	return region;
}

void hooks_files(void)
{
	const char *where = host_directory();
	strcpy(hooks_a, host_file(host_path(where, "a"), HOOKS_PAGES));
	strcpy(hooks_b, host_file(host_path(where, "b"), HOOKS_PAGES));
}
