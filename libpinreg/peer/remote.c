/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * remote.c -- the peer's side: what of all that has arrived may be used.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <pinreg/renew.h>

#include "base/opts.h"
#include "sys/fork.h"
#include "sys/sys.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

/*
 * There is a key exactly while newest.generation is above dead. Both only grow, so
 * the order in which messages arrive does not matter.
 */
struct pinreg_remote {
	unsigned int epoch;   /* of sys/fork.h */
	pthread_mutex_t lock; /* of all that follows; nothing is taken under it */
	pthread_cond_t changed;
	uint64_t id;			 /* 0: nothing has arrived */
	struct pinreg_descriptor newest; /* live; of generation 0: none has arrived */
	uint64_t dead;			 /* this generation and all before it are */
	bool gone;
};

static bool inherited(const struct pinreg_remote *remote)
{
	return remote->epoch != pinreg_fork_epoch;
}

int pinreg_remote_open(struct pinreg_remote **out)
{
	if (!out)
		return -EINVAL;
	struct pinreg_remote *remote = calloc(1, sizeof(*remote));
	if (!remote)
		return -ENOMEM;
	remote->epoch = pinreg_fork_epoch;
	pthread_mutex_init(&remote->lock, NULL);
	pthread_cond_init(&remote->changed, NULL);
	*out = remote;
	return 0;
}

void pinreg_remote_close(struct pinreg_remote *remote)
{
	if (!remote || inherited(remote))
		return;
	pthread_cond_destroy(&remote->changed);
	pthread_mutex_destroy(&remote->lock);
	free(remote);
}

/* under lock */
static void take(struct pinreg_remote *remote, const struct pinreg_descriptor *it)
{
	if (it->flags & PINREG_DESCRIPTOR_REVOKED) {
		if (it->generation > remote->dead)
			remote->dead = it->generation;
		remote->gone |= (it->flags & PINREG_DESCRIPTOR_GONE) != 0;
	} else if (it->generation > remote->newest.generation) {
		remote->newest = *it;
	}
	pthread_cond_broadcast(&remote->changed);
}

int pinreg_remote_update(struct pinreg_remote *remote, const void *data, size_t length)
{
	struct pinreg_descriptor it = { .size = sizeof(it) };
	if (!remote)
		return -EINVAL;
	if (inherited(remote))
		return -EPERM;
	int status = pinreg_descriptor_import(data, length, &it);
	if (status)
		return status;
	pthread_mutex_lock(&remote->lock);
	if (!remote->id)
		remote->id = it.id;
	if (remote->id == it.id)
		take(remote, &it);
	else
		status = -ESRCH;
	pthread_mutex_unlock(&remote->lock);
	return status;
}

/* under lock */
static int usable(const struct pinreg_remote *remote, uint64_t after)
{
	if (remote->gone)
		return -ESTALE;
	uint64_t generation = remote->newest.generation;
	return generation > remote->dead && generation > after ? 0 : -EAGAIN;
}

/* Wait under lock until there is something to say. 0 or -ETIMEDOUT. */
static int wait_for_change(struct pinreg_remote *remote, uint64_t until_ns)
{
	if (until_ns == UINT64_MAX)
		return -pthread_cond_wait(&remote->changed, &remote->lock);
	struct timespec until = {
		.tv_sec = (time_t)(until_ns / SECOND),
		.tv_nsec = (long)(until_ns % SECOND),
	};
	return -pthread_cond_clockwait(&remote->changed, &remote->lock, CLOCK_MONOTONIC, &until);
}

static int get(struct pinreg_remote *remote, uint64_t after, uint64_t until_ns,
	       struct pinreg_descriptor *out)
{
	if (!remote || pinreg_info_check(out, offsetof(struct pinreg_descriptor, mtu)))
		return -EINVAL;
	if (inherited(remote))
		return -EPERM;
	int waited = 0;
	pthread_mutex_lock(&remote->lock);
	int status = usable(remote, after);
	while (status == -EAGAIN && until_ns && !waited) {
		waited = wait_for_change(remote, until_ns);
		status = usable(remote, after);
	}
	struct pinreg_descriptor now = remote->newest;
	pthread_mutex_unlock(&remote->lock);
	if (status)
		return status == -EAGAIN && until_ns ? waited : status;
	pinreg_info_write(out, &now, sizeof(now));
	return 0;
}

int pinreg_remote_get(struct pinreg_remote *remote, struct pinreg_descriptor *out)
{
	return get(remote, 0, 0, out);
}

int pinreg_remote_wait(struct pinreg_remote *remote, uint64_t after, int timeout_ms,
		       struct pinreg_descriptor *out)
{
	uint64_t until = UINT64_MAX;
	if (timeout_ms >= 0)
		until = pinreg_sys_real.now_ns() + (uint64_t)timeout_ms * MS;
	return get(remote, after, until, out);
}

int pinreg_remote_failed(struct pinreg_remote *remote, uint64_t generation)
{
	if (!remote)
		return -EINVAL;
	if (inherited(remote))
		return -EPERM;
	pthread_mutex_lock(&remote->lock);
	bool known = generation && generation <= remote->newest.generation;
	if (known && generation > remote->dead)
		remote->dead = generation;
	pthread_mutex_unlock(&remote->lock);
	return known ? 0 : -EINVAL;
}
