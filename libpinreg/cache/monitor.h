/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * monitor.h -- the thread that hears of memory that is unmapped, moved or emptied.
 *
 * Who unmaps watched memory is stopped in the kernel until the monitor reads the message.
 * Before it reads it calls begin(), for each range changed(), and after the last end(). So
 * whoever was stopped, and whoever he tells, finds that it has begun and not ended, or
 * what changed() made of it.
 *
 * The thread sleeps while nothing happens. It allocates nothing and frees, maps and unmaps
 * nothing: it would wait for itself. The same holds for the three functions it calls, and
 * for what is done under a lock that these take.
 */
#ifndef PINREG_CACHE_MONITOR_H
#define PINREG_CACHE_MONITOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pinreg/reason.h>

#include "cache/emptied.h"
#include "sys/sys.h"

struct pinreg_cache_monitor_hooks {
	void (*begin)(void *context);
	/* 0 and UINT64_MAX: of all memory, as nothing will be heard any more */
	void (*changed)(void *context, uint64_t addr, uint64_t length);
	void (*end)(void *context);
};

/* What became of the page that is unmapped at the start, to see what the kernel tells. */
struct pinreg_monitor_trial {
	uint64_t addr, length;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	bool heard;   /* there was a message about it */
	bool pending; /* and before it was read it was seen to be under way */
};

struct pinreg_cache_monitor {
	const struct pinreg_sys *sys;
	const struct pinreg_cache_monitor_hooks *hooks;
	void *context;
	int fd;
	int event; /* raised to have the thread look at ending */
	_Atomic(bool) ending;
	pthread_t thread;
	struct pinreg_emptied emptied;
	struct pinreg_monitor_trial trial;
};

/*
 * One page is mapped, watched and unmapped to see that it works; with strict also that
 * pending() tells. Nothing of that is left, also where it fails.
 * 0, or with why->step and os_error saying which call failed -EMFILE, -ENFILE, -ENOMEM,
 * -EAGAIN (no thread), -EOPNOTSUPP: the kernel does not let us, or does not tell.
 */
int pinreg_monitor_start(struct pinreg_cache_monitor *monitor, const struct pinreg_sys *sys,
			 const struct pinreg_cache_monitor_hooks *hooks, void *context, bool strict,
			 struct pinreg_why *why);

/* Nothing is watched any more. ASSUMPTIONS: no lock is held that the hooks take. */
void pinreg_monitor_stop(struct pinreg_cache_monitor *monitor);

/*
 * Watch the pages that the range touches; huge pages as a whole. What is watched already
 * may be watched again. Not under a lock that the hooks take.
 * 0, or it is not to be watched: -EBUSY: another userfaultfd has a part of it; -EINVAL:
 * nothing is mapped, or of a kind of which the kernel tells nothing; -EPERM: shared, and
 * never to be written; -ENOMEM: too many mappings; another: nothing is heard any more.
 */
int pinreg_monitor_watch(struct pinreg_cache_monitor *monitor, uint64_t addr, uint64_t length);

/*
 * Of huge pages only whole ones. What has another userfaultfd by now is left as it is. False:
 * nothing was done, as a part of the range cannot be watched, or is not ours.
 * ASSUMPTIONS: nobody registers the range with another one at this moment.
 */
bool pinreg_monitor_unwatch(struct pinreg_cache_monitor *monitor, uint64_t addr, uint64_t length);

/*
 * Has an unmapping of watched memory begun, of which the message is not read? Also for a
 * moment after that, until its thread runs. 1, 0, or -errno: nothing is heard any more.
 */
static inline int pinreg_monitor_pending(const struct pinreg_cache_monitor *monitor)
{
	return monitor->sys->unmaps_pending(monitor->fd);
}

/*
 * No: a part of it may still be about to be emptied, see emptied.h. What is registered of
 * it then is not to be kept. To be asked after it was watched.
 */
bool pinreg_monitor_settled(struct pinreg_cache_monitor *monitor, uint64_t addr, uint64_t length);

#endif
