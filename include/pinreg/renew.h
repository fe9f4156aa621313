/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * renew.h -- keeping peers' keys right while files come and go.
 *
 * The owner has a renewal, and in it a subscription for each peer of each region. He
 * hands it every event of the domain; it makes the messages (descriptor.h) and calls
 * his function that sends them:
 *
 *   at once             the descriptor; a revocation while the region has no keys
 *   BREAK               a revocation: the keys are about to die
 *   LEASE_LOST, FENCED  the same, where BREAK was not seen
 *   RESTORED            the renewed descriptor; nothing while the file ends before
 *                       the region does
 *   LOST                a revocation that says gone
 *
 * The peer has a remote for each region: it takes messages in any order, twice or
 * not at all, and says whether there is a key to use.
 *
 * There is no thread and no connection in here. What carries the messages is the
 * program's, for instance an RDMA connection: pinreg_qp_send().
 */
#ifndef PINREG_RENEW_H
#define PINREG_RENEW_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/descriptor.h>
#include <pinreg/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* ---- the owner ---- */

struct pinreg_renewal;
struct pinreg_subscription;

/*
 * Send length bytes (PINREG_DESCRIPTOR_LENGTH) to the peer; they may be gone when
 * this returns. 0, or -errno, which ends the subscription.
 *
 * It is called by whoever subscribes or hands in an event, one call at a time for
 * all of a renewal. It should not wait for the peer, since others would wait with
 * it, and it must not call functions of the same renewal.
 */
typedef int pinreg_send_function(void *context, const void *message, size_t length);

/*
 * pinreg_renewal_open -- for the regions of any files and domains.
 * Return: 0, -EINVAL for NULL, or -ENOMEM.
 * Ownership: the caller closes *out. Thread: any. Since: 0.1
 */
int pinreg_renewal_open(struct pinreg_renewal **out);

/*
 * pinreg_renewal_close -- NULL does nothing.
 * Return: 0, or -EBUSY while there are subscriptions; -EPERM in a forked child.
 * Thread: once, with no other call on the renewal under way. Since: 0.1
 */
int pinreg_renewal_close(struct pinreg_renewal *renewal);

/*
 * pinreg_renewal_subscribe -- keep one peer informed of one region.
 *
 * send, context: called at once, before this returns, and with later events. A region
 * that is not on a file never changes: that one message is all.
 * Return: 0, or
 *   -EINVAL  a NULL argument (context may be);
 *   -EACCES  the region gives peers no right;
 *   -ESTALE  its file is lost;
 *   -ENOMEM  no memory; -EPERM  in a forked child;
 *   another -errno: that of send.
 * Ownership: the caller ends *out with pinreg_renewal_unsubscribe(), before he
 * deregisters the region. Thread: any. Since: 0.1
 */
int pinreg_renewal_subscribe(struct pinreg_renewal *renewal, struct pinreg_region *region,
			     pinreg_send_function *send, void *context,
			     struct pinreg_subscription **out);

/*
 * pinreg_renewal_unsubscribe -- the peer has gone. NULL does nothing.
 *
 * When it returns, send is not running for this subscription and will not be called
 * again: then the connection behind it may be destroyed. The peer is told nothing.
 * Thread: any, once. Since: 0.1
 */
void pinreg_renewal_unsubscribe(struct pinreg_subscription *subscription);

/*
 * pinreg_subscription_status -- does it still send?
 * Return: 0, or the -errno of the send that ended it; -EINVAL for NULL.
 * Thread: any. Since: 0.1
 */
int pinreg_subscription_status(struct pinreg_subscription *subscription);

/*
 * pinreg_renewal_event -- hand in an event, from the owner's loop or his callback.
 *
 * Every event of the domain may be handed in; those of files without subscriptions,
 * and those that change no key, do nothing. It looks at each subscription. A send that
 * fails ends that one subscription; the others get their messages.
 * Return: the number of subscriptions that ended by this call, often 0; or -EINVAL for
 * a NULL argument or a size this version does not know, -EPERM in a forked child.
 * Thread: any, but the events of one file in their order. Since: 0.1
 */
int pinreg_renewal_event(struct pinreg_renewal *renewal, const struct pinreg_event *event);

/* A queue pair as the context of pinreg_qp_send(). */
struct pinreg_qp_channel {
	size_t size; /* set by the caller */
	struct ibv_qp *qp;
	uint64_t wr_id; /* of each message's completion */
};

/*
 * pinreg_qp_send -- a pinreg_send_function over a reliable connection.
 *
 * context: a struct pinreg_qp_channel; with librdmacm its qp is id->qp. Posts one SEND,
 * inline and signaled: so max_inline_data must be 64 or more, there must be room for one
 * work request more than the program posts itself, and the program must take the
 * completion with wr_id from the queue. The peer needs a receive posted.
 * Return: 0, -EINVAL (NULL, or the queue pair is not connected or sends no 64 bytes
 * inline), -ENOMEM (the queue is full), or another -errno of ibv_post_send().
 * Thread: any; other threads may post on the same queue pair. Since: 0.1
 */
int pinreg_qp_send(void *context, const void *message, size_t length);

/* ---- the peer ---- */

struct pinreg_remote;

/*
 * pinreg_remote_open -- what is known of one region of an owner. Nothing yet.
 * Return: 0, -EINVAL for NULL, or -ENOMEM.
 * Ownership: the caller closes *out. Thread: any. Since: 0.1
 */
int pinreg_remote_open(struct pinreg_remote **out);

/*
 * pinreg_remote_close -- NULL does nothing.
 * Thread: once, with no other call on it under way. Since: 0.1
 */
void pinreg_remote_close(struct pinreg_remote *remote);

/*
 * pinreg_remote_update -- take a message that has arrived.
 *
 * Whatever was lost, doubled or overtaken before: older generations change nothing, and
 * a revocation ends its own generation and older ones, never a newer one. The first
 * message decides which region this is, by its id. An owner that was started again
 * has other ids: open another remote then.
 * Return: 0 (also where it told nothing new), or
 *   -EINVAL   remote or data is NULL;
 *   -EBADMSG  see pinreg_descriptor_import();
 *   -ESRCH    of another region: another remote may know it;
 *   -EPERM    in a forked child.
 * Thread: any. Since: 0.1
 */
int pinreg_remote_update(struct pinreg_remote *remote, const void *data, size_t length);

/*
 * pinreg_remote_get -- what to put into work requests now.
 *
 * out: set out->size before the call. The key may die at any time after that: the work
 * request then ends with IBV_WC_REM_ACCESS_ERR, see pinreg_remote_failed().
 * Return: 0, or -EINVAL for a NULL argument or unknown size; -EAGAIN while it is revoked,
 * or nothing has arrived yet; -ESTALE when it is gone; -EPERM in a forked child.
 * Thread: any. Since: 0.1
 */
int pinreg_remote_get(struct pinreg_remote *remote, struct pinreg_descriptor *out);

/*
 * pinreg_remote_wait -- as pinreg_remote_get(), but wait while it would say -EAGAIN.
 *
 * after: a generation; wait for a newer one. 0: any will do.
 * timeout_ms: how long at most; negative: for ever. Somebody else has to call
 * pinreg_remote_update() meanwhile.
 * Return: as pinreg_remote_get(), and -ETIMEDOUT in place of -EAGAIN.
 * Thread: any. Since: 0.1
 */
int pinreg_remote_wait(struct pinreg_remote *remote, uint64_t after, int timeout_ms,
		       struct pinreg_descriptor *out);

/*
 * pinreg_remote_failed -- a work request with this generation ended with
 * IBV_WC_REM_ACCESS_ERR.
 *
 * The key is dead, whether its revocation has arrived or not: from now on only a newer
 * generation is given out. The queue pair is in the error state, so the program
 * connects again, and the owner subscribes it again.
 * Return: 0, or -EINVAL for NULL or a generation that was never given out; -EPERM in a
 * forked child. Thread: any. Since: 0.1
 */
int pinreg_remote_failed(struct pinreg_remote *remote, uint64_t generation);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
