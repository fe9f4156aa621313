/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * descriptor.h -- what a peer has to be told of a region: 64 bytes to be sent.
 *
 * The owner exports a descriptor and sends it over whatever he has; the peer
 * imports it. The same 64 bytes, flagged, take back what was sent before. The
 * layout is the same on every machine: docs/descriptor.md.
 *
 * A region keeps its id for life, while the generation grows with each return
 * from a fence: so a peer finds what a new descriptor replaces. See renew.h for
 * who sends what, and when.
 *
 * The checksum finds damage, not malice: who can forge a message to a peer can
 * send it anywhere within the memory that it may reach.
 */
#ifndef PINREG_DESCRIPTOR_H
#define PINREG_DESCRIPTOR_H

#include <stddef.h>
#include <stdint.h>

#include <pinreg/region.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* Bytes of a descriptor of this version. */
#define PINREG_DESCRIPTOR_LENGTH 64

/* Flags. */
#define PINREG_DESCRIPTOR_REVOKED 1u /* keys of this generation and older ones are dead */
#define PINREG_DESCRIPTOR_GONE 2u    /* revoked, and no other will come */

/* What a peer may do. Bits of their own: those of verbs are not the same everywhere. */
#define PINREG_REMOTE_WRITE 1u
#define PINREG_REMOTE_READ 2u
#define PINREG_REMOTE_ATOMIC 4u
#define PINREG_REMOTE_FLUSH_GLOBAL 8u
#define PINREG_REMOTE_FLUSH_PERSISTENT 16u

/* A descriptor as a program sees it. */
struct pinreg_descriptor {
	size_t size;	    /* set by the caller */
	unsigned int flags; /* PINREG_DESCRIPTOR_* */
	enum pinreg_method method;
	enum pinreg_granularity granularity; /* that transfers must keep to; a page is 4096 bytes */
	unsigned int access;		     /* PINREG_REMOTE_* */
	uint64_t id;			     /* of the region; never 0 */
	uint64_t generation;		     /* never 0 */
	uint64_t addr;			     /* to put into work requests */
	uint64_t length;		     /* bytes */
	uint32_t rkey;			     /* 0 where revoked */
	unsigned int mtu;		     /* path MTU the connection must have, bytes; 0: any */
};

/*
 * pinreg_region_describe -- what a peer has to be told now.
 *
 * out: set out->size before the call. Who gives peers a memory window changes rkey,
 * addr, length and access in it, and id where a peer may get several windows of
 * one region; pinreg_descriptor_export() then makes the bytes.
 * Return: 0, or
 *   -EINVAL  a NULL argument, or a size this version does not know;
 *   -EACCES  the region gives peers no right;
 *   -EAGAIN  it is fenced: there is no key now;
 *   -ESTALE  its file is lost, or ends before the region does (PINREG_SHRINK_FOLLOW);
 *   -EPERM   in a forked child.
 * Thread: any. Since: 0.1
 */
int pinreg_region_describe(struct pinreg_region *region, struct pinreg_descriptor *out);

/*
 * pinreg_region_export -- the same as bytes.
 *
 * out: at least PINREG_DESCRIPTOR_LENGTH bytes; room: how many there are.
 * Return: as pinreg_region_describe(), and -ENOSPC where room is too small.
 * Thread: any. Since: 0.1
 */
int pinreg_region_export(struct pinreg_region *region, void *out, size_t room);

/*
 * pinreg_region_export_revoked -- the bytes that take back a generation, and all
 * before it.
 *
 * generation: that of the event which ended it. gone: 1: there will be no other.
 * It can be made at any time, also while the keys still work and when the file is
 * lost.
 * Return: 0, or
 *   -EINVAL  a NULL argument, generation 0, or one that has not been yet;
 *   -EACCES, -EPERM, -ENOSPC  as above.
 * Thread: any. Since: 0.1
 */
int pinreg_region_export_revoked(struct pinreg_region *region, uint64_t generation,
				 unsigned int gone, void *out, size_t room);

/*
 * pinreg_descriptor_export -- the bytes of a descriptor.
 *
 * Return: 0, or
 *   -EINVAL  a NULL argument, an unknown size, or a field that importing refuses;
 *   -ENOSPC  room is less than PINREG_DESCRIPTOR_LENGTH.
 * Thread: any. Since: 0.1
 */
int pinreg_descriptor_export(const struct pinreg_descriptor *descriptor, void *out, size_t room);

/*
 * pinreg_descriptor_import -- read and check what has arrived.
 *
 * data, length: the message, aligned or not. out: set out->size before the call.
 * It accepts exactly what can be exported: exporting *out gives the same bytes.
 * Return: 0, or
 *   -EINVAL   a NULL argument, or an unknown out->size;
 *   -EBADMSG  length, or the length in it, is not PINREG_DESCRIPTOR_LENGTH; another
 *             magic, version or checksum; a reserved byte that is not 0; an
 *             unknown flag, method, granularity or access bit; GONE without
 *             REVOKED; no access at all; id or generation 0; length 0, or a
 *             range that wraps; granularity PAGE, but not whole pages; an
 *             rkey, and REVOKED; an MTU that is none, or without ODP.
 * Thread: any. Since: 0.1
 */
int pinreg_descriptor_import(const void *data, size_t length, struct pinreg_descriptor *out);

/*
 * pinreg_descriptor_detect -- is this message a descriptor, good or damaged?
 *
 * For who gets other messages over the same channel. It looks at length and magic
 * only, so that a damaged one is not taken for one of those; importing tells.
 * Return: 1 or 0; 0 for NULL. Thread: any. Since: 0.1
 */
int pinreg_descriptor_detect(const void *data, size_t length);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
