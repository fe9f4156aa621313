/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * served.c -- one file of a server: its store, what happens to it, its recovery.
 */
#include "served.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static void print_keys(struct served *served)
{
	struct pmem_view view = pmem_look(&served->store->pmem);

	say("%skeys: data rkey 0x%x, generation %llu", served->label, view.rkey,
	    (unsigned long long)view.generation);
	served->rkey = view.rkey;
}

int served_open(struct served *served, struct pinreg_domain *domain, uint64_t size,
		enum pinreg_granularity granularity)
{
	struct store *store = served->store;
	struct pinreg_why why = { 0 };
	char sentence[512];
	int ret = pmem_open(&store->pmem, domain, store->path, size, granularity, &why);

	if (ret) {
		if (why.reason == PINREG_REASON_NONE)
			complain("%s: %s", store->path, strerror(-ret));
		else if (pinreg_why_describe(&why, sentence, sizeof(sentence)) > 0)
			complain("%s: %s", store->path, sentence);
		return EXIT_REFUSED;
	}
	served->open = true;
	print_keys(served);
	if (stat(store->path, &served->identity) == 0)
		return 0;
	complain("%s: %s", store->path, strerror(errno));
	return 1;
}

void served_close(struct served *served, bool discard)
{
	if (!served->open)
		return;
	if (pmem_close(&served->store->pmem) != 0)
		complain("%s could not be closed cleanly", served->store->path);
	if (discard && served->store->pmem.created)
		unlink(served->store->path);
	served->open = false;
}

static double ms_until(uint64_t monotonic_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((double)monotonic_ns - (double)now.tv_sec * 1e9 - (double)now.tv_nsec) / 1e6;
}

void served_on_break(struct served *served, const struct pinreg_event *event,
		     struct sessions *sessions)
{
	static const char *const who[] = {
		[PINREG_BREAKER_NONE] = "somebody wants the file",
		[PINREG_BREAKER_READER] = "somebody opens the file for reading",
		[PINREG_BREAKER_WRITER] = "somebody opens the file for writing or truncates it",
	};
	double acked_ms;

	pmem_shut(&served->store->pmem);
	sessions_tell(sessions, event); /* who hears it in time loses no connection */
	acked_ms = SERVED_QUIESCE_MS - ms_until(event->deadline_ns);
	pinreg_file_ack(event->file, event->generation); /* first let go, then talk */
	say("%sBREAK: %s (generation %llu); acknowledged after %.3f ms", served->label,
	    who[event->breaker <= PINREG_BREAKER_WRITER ? event->breaker : 0],
	    (unsigned long long)event->generation, acked_ms);
}

void served_on_fenced(struct served *served, const struct pinreg_event *event)
{
	pmem_shut(&served->store->pmem);
	say("%sFENCED: let go after %.3f ms", served->label, (double)event->held_up_ns / 1e6);
}

int served_on_restored(struct served *served, const struct pinreg_event *event)
{
	uint32_t old = served->rkey;
	int ret = pmem_back(&served->store->pmem);
	struct pmem_view view = pmem_look(&served->store->pmem);

	say("%sRESTORED: after %.1f ms, rkey 0x%x -> 0x%x, generation %llu, size %llu -> %llu, "
	    "%llu bytes zeroed",
	    served->label, (double)event->away_ns / 1e6, old, view.rkey,
	    (unsigned long long)event->generation, (unsigned long long)event->old_size,
	    (unsigned long long)event->new_size, (unsigned long long)event->zeroed);
	served->rkey = view.rkey;
	served->restored = *event;
	return ret;
}

void served_on_lease_lost(const struct served *served, const struct pinreg_event *event)
{
	char sentence[512];

	pinreg_why_describe(&event->why, sentence, sizeof(sentence));
	complain("%sLEASE LOST: %s", served->label, sentence);
}

void served_on_lost(struct served *served, const struct pinreg_event *event)
{
	char sentence[512];

	pmem_shut(&served->store->pmem);
	pinreg_why_describe(&event->why, sentence, sizeof(sentence));
	say("%sLOST: %s", served->label, sentence);
}
