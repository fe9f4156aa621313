/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust.c -- what the data test found, kept for the life of the process.
 */
#include "plan/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan/trust_run.h"

/* All zero but for what is set: compared as a whole. */
struct key {
	char device[64];
	uint64_t node_guid;
	uint64_t st_dev; /* 0: anonymous memory */
	unsigned int port;
	unsigned int mtu; /* decides how transfers are cut into packets */
};

struct entry {
	struct entry *next;
	struct key key;
	bool running; /* somebody is testing; the report is not there yet */
	struct pinreg_trust_report report;
};

/*
 * Lock order: last. It may be taken under any other lock of the library, and
 * none is taken under it; it is not held while a test runs. A fork takes it,
 * so that a child has the findings whole.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t ended; /* some test */
	struct entry *entries;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER };

static void before_fork(void)
{
	pthread_mutex_lock(&cache.lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&cache.lock);
}

/* Who was testing is not in the child, and nobody waits there. */
static void after_fork_in_child(void)
{
	for (struct entry **place = &cache.entries; *place;) {
		if ((*place)->running)
			*place = (*place)->next;
		else
			place = &(*place)->next;
	}
	cache.ended = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	pthread_mutex_unlock(&cache.lock);
}

/* Where it fails, a child that was forked at the wrong moment waits for ever. */
static void install(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static int key_make(struct pinreg_device *device, uint64_t st_dev, struct key *out)
{
	const char *name = device->pd->context->device->name;
	int mtu = pinreg_device_mtu(device);

	if (mtu < 0)
		return mtu;
	memset(out, 0, sizeof(*out));
	memcpy(out->device, name, strnlen(name, sizeof(out->device) - 1));
	out->node_guid = device->node_guid;
	out->st_dev = st_dev;
	out->port = device->port;
	out->mtu = (unsigned int)mtu;
	return 0;
}

/* Called with the lock held. */
static struct entry **entry_find(const struct key *key)
{
	struct entry **place = &cache.entries;

	while (*place && memcmp(&(*place)->key, key, sizeof(*key)))
		place = &(*place)->next;
	return place;
}

/*
 * The finding into *report (1); or, where there is none, an entry in *mine
 * that marks the caller as the one who tests (0), or -ENOMEM.
 */
static int cache_enter(const struct key *key, struct pinreg_trust_report *report,
		       struct entry **mine)
{
	struct entry *entry;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int status = 1;

	pthread_once(&once, install);
	pthread_mutex_lock(&cache.lock);
	while ((entry = *entry_find(key)) && entry->running)
		pthread_cond_wait(&cache.ended, &cache.lock);
	if (entry) {
		*report = entry->report;
	} else if ((entry = calloc(1, sizeof(*entry)))) {
		*entry = (struct entry){ .next = cache.entries, .key = *key, .running = true };
		cache.entries = *mine = entry;
		status = 0;
	} else {
		status = -ENOMEM;
	}
	pthread_mutex_unlock(&cache.lock);
	return status;
}

/* The end of a test: report is NULL where it found nothing out. */
static void cache_leave(struct entry *mine, const struct pinreg_trust_report *report)
{
	pthread_mutex_lock(&cache.lock);
	mine->running = false;
	if (report) {
		mine->report = *report;
	} else {
		*entry_find(&mine->key) = mine->next;
		free(mine);
	}
	pthread_cond_broadcast(&cache.ended);
	pthread_mutex_unlock(&cache.lock);
}

static int test(struct pinreg_device *device, void *memory, const struct key *key,
		struct pinreg_trust_report *out)
{
	int status = pinreg_trust_run(device, memory, key->mtu, out);

	if (status)
		return status;
	int mtu = pinreg_device_mtu(device);

	if (mtu < 0)
		return mtu;
	/* whichever of the two it was that the connection was made with */
	if ((unsigned int)mtu != key->mtu)
		return -EAGAIN;
	pinreg_log(&device->log, PINREG_LOG_INFO,
		   "data test of on-demand paging on %s port %u, MTU %u: %s, %u of %u "
		   "transfers wrong, %u of %u atomics wrong",
		   key->device, key->port, key->mtu, pinreg_trust_name(out->trust),
		   out->cases_wrong, out->cases, out->atomics_wrong, out->atomics);
	return 0;
}

/* What needs no test: somebody's word, or the device's own denial. */
static enum pinreg_trust foregone(const struct pinreg_device *device)
{
	const unsigned int both = IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ;

	if (device->assumed != PINREG_TRUST_UNTESTED)
		return device->assumed;
	if (!(device->odp & IBV_ODP_SUPPORT) || (device->odp_rc & both) != both)
		return PINREG_TRUST_NONE;
	return PINREG_TRUST_UNTESTED;
}

static int finding(struct pinreg_device *device, uint64_t st_dev, void *memory,
		   struct pinreg_trust_report *out)
{
	struct pinreg_trust_report report = { .size = sizeof(report), .trust = foregone(device) };
	struct entry *mine;
	struct key key;
	int status = 0;

	if (device->assumed != PINREG_TRUST_UNTESTED) {
		int mtu = pinreg_device_mtu(device);
		report.mtu = mtu > 0 ? (unsigned int)mtu : 0;
	}
	if (report.trust == PINREG_TRUST_UNTESTED) {
		status = key_make(device, st_dev, &key);
		if (!status)
			status = cache_enter(&key, &report, &mine);
		if (status < 0)
			return status;
		if (!status) {
			status = test(device, memory, &key, &report);
			cache_leave(mine, status ? NULL : &report);
			if (status)
				return status;
		}
	}
	*out = report;
	return 0;
}

int pinreg_trust_of_device(struct pinreg_device *device, struct pinreg_trust_report *out)
{
	return finding(device, 0, NULL, out);
}

int pinreg_trust_of_memory(struct pinreg_device *device, uint64_t st_dev, void *memory,
			   uint64_t length, struct pinreg_trust_report *out)
{
	if (!st_dev || !memory || length < PINREG_TRUST_ROOM)
		return -EINVAL;
	return finding(device, st_dev, memory, out);
}

enum pinreg_trust pinreg_trust_known_of(struct pinreg_device *device, uint64_t st_dev,
					struct pinreg_trust_report *out)
{
	enum pinreg_trust trust = foregone(device);
	struct key key;

	if (trust != PINREG_TRUST_UNTESTED || key_make(device, st_dev, &key))
		return trust;
	pthread_mutex_lock(&cache.lock);
	const struct entry *entry = *entry_find(&key);
	if (entry && !entry->running) {
		trust = entry->report.trust;
		if (out)
			*out = entry->report;
	}
	pthread_mutex_unlock(&cache.lock);
	return trust;
}

enum pinreg_trust pinreg_trust_known(struct pinreg_device *device)
{
	return pinreg_trust_known_of(device, 0, NULL);
}

const char *pinreg_trust_name(enum pinreg_trust trust)
{
	switch (trust) {
	case PINREG_TRUST_UNTESTED:
		return "untested";
	case PINREG_TRUST_NONE:
		return "none";
	case PINREG_TRUST_PAGE:
		return "page";
	case PINREG_TRUST_FULL:
		return "full";
	}
	return "?";
}
