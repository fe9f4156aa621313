/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain.c -- composition of a domain, and the entry points that start at it.
 */
#include "domain.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <pinreg/version.h>

#include "base/opts.h"
#include "base/why.h"
#include "cache/cache.h"
#include "pinreg_config.h"
#include "plan/planner.h"
#include "plan/trust.h"
#include "region/region.h"
#include "watch/device.h"
#include "watch/file.h"

#define QUIESCE_MS 20

static int set_defaults(struct pinreg_domain_opts *opts)
{
	if (!opts->port)
		opts->port = 1;
	if (!opts->quiesce_ms)
		opts->quiesce_ms = QUIESCE_MS;
	int signal = opts->break_signal;
	if (signal && (signal < SIGRTMIN || signal > SIGRTMAX))
		return -EINVAL;
	return opts->odp_trust > PINREG_TRUST_FULL || opts->device_events > 1 ? -EINVAL : 0;
}

static int open_events(struct pinreg_domain *domain, const struct pinreg_domain_opts *opts)
{
	struct pinreg_events *events = &domain->events;
	int status = pinreg_events_init(events, domain->device.sys, !opts->on_event);
	if (status)
		return status;
	status = pinreg_caller_start(&domain->caller, events, opts->on_event, opts->event_context);
	if (status)
		pinreg_events_destroy(events);
	return status;
}

int pinreg_domain_open_with(const struct pinreg_sys *sys, struct ibv_pd *pd,
			    const struct pinreg_domain_opts *opts, struct pinreg_domain **out)
{
	struct pinreg_domain_opts known;
	if (!pd || !out || pinreg_opts_read(opts, &known, sizeof(known)) || set_defaults(&known))
		return -EINVAL;
	struct pinreg_domain *domain = calloc(1, sizeof(*domain));
	if (!domain)
		return -ENOMEM;
	domain->device = (struct pinreg_device){
		.sys = sys,
		.log = { known.log, known.log_context },
		.pd = pd,
		.port = known.port,
		.assumed = known.odp_trust,
		.pin_budget = known.pin_budget ? known.pin_budget : UINT64_MAX,
	};
	int status = pinreg_device_init(&domain->device);
	if (!status)
		status = open_events(domain, &known);
	if (status) {
		free(domain);
		return status;
	}
	pinreg_set_init(&domain->regions, NULL, NULL);
	pinreg_watch_init(&domain->watch, &domain->device, &domain->events, known.quiesce_ms,
			  known.break_signal);
	status = known.device_events ? pinreg_watch_device(&domain->watch) : 0;
	if (status)
		pinreg_domain_close(domain);
	else
		*out = domain;
	return status;
}

int pinreg_domain_open(struct ibv_pd *pd, const struct pinreg_domain_opts *opts,
		       struct pinreg_domain **out)
{
	return pinreg_domain_open_with(&pinreg_sys_real, pd, opts, out);
}

int pinreg_domain_close(struct pinreg_domain *domain)
{
	if (!domain)
		return 0;
	if (pinreg_device_inherited(&domain->device))
		return -EPERM;
	if (pinreg_caller_inside(&domain->events))
		return -EDEADLK;
	if (pinreg_set_count(&domain->regions) || pinreg_watch_in_use(&domain->watch) ||
	    atomic_load(&domain->caches))
		return -EBUSY;
	pinreg_watch_destroy(&domain->watch); /* first: it pushes events */
	pinreg_caller_stop(&domain->caller);
	pinreg_events_destroy(&domain->events);
	pinreg_set_destroy(&domain->regions);
	free(domain);
	return 0;
}

int pinreg_domain_query(struct pinreg_domain *domain, struct pinreg_domain_info *out)
{
	if (!domain || pinreg_info_check(out, offsetof(struct pinreg_domain_info, odp)))
		return -EINVAL;
	struct pinreg_device *device = &domain->device;
	if (pinreg_device_inherited(device))
		return -EPERM;
	struct pinreg_domain_info info = {
		.port = device->port,
		.odp = device->odp,
		.odp_rc = device->odp_rc,
		.odp_ud = device->odp_ud,
		.flush_global = device->flush_global,
		.flush_persistent = device->flush_persistent,
		.memory_windows = device->memory_windows,
		.max_mr_size = device->max_mr_size,
		.max_mr = device->max_mr,
	};
	struct pinreg_memlock lock;
	struct ibv_port_attr port;
	int status = device->sys->port_query(device->pd->context, device->port, &port);
	if (!status)
		status = device->sys->memlock(&lock);
	if (status)
		return status;
	snprintf(info.device, sizeof(info.device), "%s", device->pd->context->device->name);
	info.active_mtu = pinreg_mtu_bytes(port.active_mtu);
	info.memlock_limit = lock.limit;
	info.memlock_used = lock.used;
	info.odp_trust = pinreg_trust_known(device);
	info.pin_budget = device->pin_budget;
	info.pinned = atomic_load(&device->pinned);
	pinreg_info_write(out, &info, sizeof(info));
	return 0;
}

int pinreg_domain_test_odp(struct pinreg_domain *domain, struct pinreg_trust_report *out)
{
	if (!domain || pinreg_info_check(out, offsetof(struct pinreg_trust_report, mtu)))
		return -EINVAL;
	if (pinreg_device_inherited(&domain->device))
		return -EPERM;
	struct pinreg_trust_report report;
	int status = pinreg_trust_of_device(&domain->device, &report);
	if (!status)
		pinreg_info_write(out, &report, sizeof(report));
	return status;
}

int pinreg_domain_event_fd(struct pinreg_domain *domain)
{
	if (!domain)
		return -EINVAL;
	if (pinreg_device_inherited(&domain->device))
		return -EPERM;
	return domain->caller.function ? -EBUSY : domain->events.fd;
}

int pinreg_domain_next_event(struct pinreg_domain *domain, struct pinreg_event *out)
{
	if (!domain || pinreg_info_check(out, offsetof(struct pinreg_event, breaker)))
		return -EINVAL;
	if (pinreg_device_inherited(&domain->device))
		return -EPERM;
	if (domain->caller.function)
		return -EBUSY;
	struct pinreg_event event;
	int status = pinreg_events_pop(&domain->events, &event);
	if (!status)
		pinreg_info_write(out, &event, sizeof(event));
	return status;
}

int pinreg_plan(struct pinreg_domain *domain, const void *addr, size_t length,
		const struct pinreg_region_opts *opts, struct pinreg_plan *out)
{
	if (!domain || pinreg_info_check(out, offsetof(struct pinreg_plan, granularity)))
		return -EINVAL;
	if (pinreg_device_inherited(&domain->device))
		return -EPERM;
	struct pinreg_decision decision;
	int status = pinreg_planner_plan(&domain->device, 0, addr, length, opts, &decision);
	if (!status)
		pinreg_info_write(out, &decision.plan, sizeof(decision.plan));
	return status;
}

int pinreg_region_register(struct pinreg_domain *domain, void *addr, size_t length,
			   const struct pinreg_region_opts *opts, struct pinreg_why *why,
			   struct pinreg_region **out)
{
	if (!domain || !out)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (pinreg_device_inherited(&domain->device))
		return pinreg_why_set(why, PINREG_REASON_FORKED, -EPERM);
	/* a region on a leased file has to be fenced with it */
	bool whole = false;
	struct pinreg_file *file =
		pinreg_watch_find(&domain->watch, (uintptr_t)addr, length, &whole);
	if (file && whole && length)
		return pinreg_file_register(file, (uintptr_t)addr - (uintptr_t)file->prepared.addr,
					    length, opts, why, out);
	if (file) {
		pinreg_why_set(why, PINREG_REASON_BAD_RANGE, -EINVAL);
		if (why) {
			why->addr = (uintptr_t)addr;
			why->length = length;
		}
		return -EINVAL;
	}
	struct pinreg_region_place place = { .device = &domain->device, .set = &domain->regions };
	return pinreg_region_make(&place, addr, length, opts, why, out);
}

int pinreg_region_register_dmabuf(struct pinreg_domain *domain, int fd, uint64_t offset,
				  uint64_t length, const struct pinreg_region_opts *opts,
				  struct pinreg_why *why, struct pinreg_region **out)
{
	if (!domain || !out)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (pinreg_device_inherited(&domain->device))
		return pinreg_why_set(why, PINREG_REASON_FORKED, -EPERM);
	struct pinreg_region_place place = { .device = &domain->device, .set = &domain->regions };
	return pinreg_region_make_dmabuf(&place, fd, offset, length, opts, why, out);
}

int pinreg_file_open(struct pinreg_domain *domain, int dirfd, const char *path,
		     const struct pinreg_file_opts *opts, struct pinreg_why *why,
		     struct pinreg_file **out)
{
	if (!domain)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (pinreg_device_inherited(&domain->device))
		return pinreg_why_set(why, PINREG_REASON_FORKED, -EPERM);
	return pinreg_leased_open(&domain->watch, dirfd, path, opts, why, out);
}

static bool on_leased_file(void *context, uint64_t addr, uint64_t length)
{
	struct pinreg_domain *domain = context;
	bool whole;
	return pinreg_watch_find(&domain->watch, addr, length, &whole);
}

static int register_on_file(void *context, void *addr, uint64_t length,
			    const struct pinreg_region_opts *opts, struct pinreg_why *why,
			    struct pinreg_region **out)
{
	return pinreg_region_register(context, addr, length, opts, why, out);
}

int pinreg_cache_open(struct pinreg_domain *domain, const struct pinreg_cache_opts *opts,
		      struct pinreg_why *why, struct pinreg_cache **out)
{
	if (!domain || !out)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (pinreg_device_inherited(&domain->device))
		return pinreg_why_set(why, PINREG_REASON_FORKED, -EPERM);
	struct pinreg_cache_home home = {
		.context = domain,
		.place = { .device = &domain->device, .set = &domain->regions },
		.caches = &domain->caches,
		.on_file = on_leased_file,
		.on_file_register = register_on_file,
	};
	return pinreg_cache_open_at(&home, opts, why, out);
}

const char *pinreg_version(void)
{
	return PINREG_VERSION_TEXT;
}
