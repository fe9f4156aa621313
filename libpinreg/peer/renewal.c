/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * renewal.c -- the owner's side: who is told what, when.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <pinreg/renew.h>

#include "base/opts.h"
#include "region/region.h"
#include "sys/fork.h"

/*
 * lock protects the list and all that is in it, and is held while a message is
 * sent: so messages to one peer leave in the order in which they were made, and one
 * who unsubscribes knows that nobody is sending. Under it only a set's lock is taken.
 */
struct pinreg_renewal {
	unsigned int epoch; /* of sys/fork.h */
	pthread_mutex_t lock;
	struct pinreg_subscription *first;
};

struct pinreg_subscription {
	struct pinreg_renewal *renewal;
	struct pinreg_region *region;
	pinreg_send_function *send;
	void *context;
	/* under renewal->lock */
	struct pinreg_subscription *next;
	struct pinreg_subscription **link; /* what points to this one */
	uint64_t live;			   /* the newest generation that was sent */
	uint64_t revoked;		   /* the newest one that was taken back */
	bool gone;			   /* was sent: there is nothing more to say */
	int status;
};

static bool inherited(const struct pinreg_renewal *renewal)
{
	return renewal->epoch != pinreg_fork_epoch;
}

int pinreg_renewal_open(struct pinreg_renewal **out)
{
	if (!out)
		return -EINVAL;
	struct pinreg_renewal *renewal = calloc(1, sizeof(*renewal));
	if (!renewal)
		return -ENOMEM;
	renewal->epoch = pinreg_fork_epoch;
	pthread_mutex_init(&renewal->lock, NULL);
	*out = renewal;
	return 0;
}

int pinreg_renewal_close(struct pinreg_renewal *renewal)
{
	if (!renewal)
		return 0;
	if (inherited(renewal))
		return -EPERM;
	if (renewal->first)
		return -EBUSY;
	pthread_mutex_destroy(&renewal->lock);
	free(renewal);
	return 0;
}

static int send_bytes(struct pinreg_subscription *it, const unsigned char *message)
{
	it->status = it->send(it->context, message, PINREG_DESCRIPTOR_LENGTH);
	return it->status;
}

static int tell_revoked(struct pinreg_subscription *it, uint64_t generation, bool gone)
{
	unsigned char message[PINREG_DESCRIPTOR_LENGTH];
	/* of BREAK and FENCED the second tells nothing new */
	if (it->gone || (!gone && generation <= it->revoked))
		return 0;
	int status = pinreg_region_export_revoked(it->region, generation, gone, message,
						  sizeof(message));
	if (status)
		return status;
	it->gone = gone;
	it->revoked = generation;
	return send_bytes(it, message);
}

/* The keys of now; of a file that is away again by now, its events will tell. */
static int tell_live(struct pinreg_subscription *it)
{
	unsigned char message[PINREG_DESCRIPTOR_LENGTH];
	struct pinreg_descriptor now = { .size = sizeof(now) };
	int status = pinreg_region_describe(it->region, &now);
	if (!status)
		status = pinreg_descriptor_export(&now, message, sizeof(message));
	if (status || now.generation <= it->live)
		return status;
	it->live = now.generation;
	return send_bytes(it, message);
}

static int tell_first(struct pinreg_subscription *it)
{
	struct pinreg_region_set *set = it->region->facts->set;
	/* before the look: if the file comes back after it, its keys are not of this one */
	uint64_t generation = pinreg_set_generation(set);
	int status = tell_live(it);
	if (it->status || (status != -EAGAIN && status != -ESTALE))
		return status;
	/* while the file ends before the region does there are no keys, but may be again */
	if (status == -ESTALE && pinreg_set_is_lost(set))
		return status;
	return tell_revoked(it, generation, false);
}

/* under lock */
static void link_into(struct pinreg_renewal *renewal, struct pinreg_subscription *it)
{
	it->next = renewal->first;
	it->link = &renewal->first;
	if (it->next)
		it->next->link = &it->next;
	renewal->first = it;
}

int pinreg_renewal_subscribe(struct pinreg_renewal *renewal, struct pinreg_region *region,
			     pinreg_send_function *send, void *context,
			     struct pinreg_subscription **out)
{
	if (!renewal || !region || !send || !out)
		return -EINVAL;
	if (inherited(renewal))
		return -EPERM;
	struct pinreg_subscription *it = calloc(1, sizeof(*it));
	if (!it)
		return -ENOMEM;
	it->renewal = renewal;
	it->region = region;
	it->send = send;
	it->context = context;
	pthread_mutex_lock(&renewal->lock);
	int status = tell_first(it);
	if (!status)
		link_into(renewal, it);
	pthread_mutex_unlock(&renewal->lock);
	if (status)
		free(it);
	else
		*out = it;
	return status;
}

void pinreg_renewal_unsubscribe(struct pinreg_subscription *subscription)
{
	if (!subscription || inherited(subscription->renewal))
		return;
	pthread_mutex_lock(&subscription->renewal->lock);
	*subscription->link = subscription->next;
	if (subscription->next)
		subscription->next->link = subscription->link;
	pthread_mutex_unlock(&subscription->renewal->lock);
	free(subscription);
}

int pinreg_subscription_status(struct pinreg_subscription *subscription)
{
	if (!subscription)
		return -EINVAL;
	if (inherited(subscription->renewal))
		return -EPERM;
	pthread_mutex_lock(&subscription->renewal->lock);
	int status = subscription->status;
	pthread_mutex_unlock(&subscription->renewal->lock);
	return status;
}

static void tell_event(struct pinreg_subscription *it, const struct pinreg_event *event)
{
	switch (event->type) {
	case PINREG_EVENT_BREAK:
	case PINREG_EVENT_LEASE_LOST:
	case PINREG_EVENT_FENCED:
		tell_revoked(it, event->generation, false);
		break;
	case PINREG_EVENT_RESTORED:
		tell_live(it);
		break;
	case PINREG_EVENT_LOST:
		tell_revoked(it, event->generation, true);
		break;
	case PINREG_EVENT_ADMITTED: /* keys stay */
	case PINREG_EVENT_DEVICE:   /* of no file, and connections end with the device */
		break;
	}
}

int pinreg_renewal_event(struct pinreg_renewal *renewal, const struct pinreg_event *event)
{
	struct pinreg_event known;
	int ended = 0;
	if (!renewal || !event || pinreg_opts_read(event, &known, sizeof(known)))
		return -EINVAL;
	if (inherited(renewal))
		return -EPERM;
	pthread_mutex_lock(&renewal->lock);
	for (struct pinreg_subscription *it = renewal->first; it && known.file; it = it->next) {
		if (it->status || it->region->facts->set->file != known.file)
			continue;
		tell_event(it, &known);
		ended += it->status != 0;
	}
	pthread_mutex_unlock(&renewal->lock);
	return ended;
}
