/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c -- a descriptor as bytes. docs/descriptor.md has the layout.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <pinreg/descriptor.h>

#include "base/crc32.h"
#include "base/opts.h"

#define VERSION 1
#define WHOLE_PAGE 4096u
#define FLAGS_KNOWN (PINREG_DESCRIPTOR_REVOKED | PINREG_DESCRIPTOR_GONE)
#define ACCESS_KNOWN                                                                               \
	(PINREG_REMOTE_WRITE | PINREG_REMOTE_READ | PINREG_REMOTE_ATOMIC |                         \
	 PINREG_REMOTE_FLUSH_GLOBAL | PINREG_REMOTE_FLUSH_PERSISTENT)

enum {
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_LENGTH = 6,
	AT_FLAGS = 8,
	AT_METHOD = 10,
	AT_GRANULARITY = 11,
	AT_ACCESS = 12,
	AT_ID = 16,
	AT_GENERATION = 24,
	AT_ADDR = 32,
	AT_RANGE = 40,
	AT_RKEY = 48,
	AT_MTU = 52,
	AT_RESERVED = 54,
	AT_CHECKSUM = 60,
};

static const unsigned char magic[] = { 'P', 'N', 'R', 'G' };

static void put(unsigned char *at, unsigned int bytes, uint64_t value)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *at, unsigned int bytes)
{
	uint64_t value = 0;
	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static bool mtu_possible(unsigned int mtu)
{
	return mtu >= 256 && mtu <= 4096 && !(mtu & (mtu - 1));
}

/* Whether importing accepts it; exporting makes nothing else. */
static bool valid(const struct pinreg_descriptor *it)
{
	bool revoked = it->flags & PINREG_DESCRIPTOR_REVOKED;
	if (it->flags & ~FLAGS_KNOWN || (it->flags & PINREG_DESCRIPTOR_GONE && !revoked))
		return false;
	if (it->method < PINREG_METHOD_PIN || it->method > PINREG_METHOD_DMABUF)
		return false;
	if (!it->access || it->access & ~ACCESS_KNOWN)
		return false;
	if (!it->id || !it->generation || (revoked && it->rkey))
		return false;
	if (!it->length || it->addr > UINT64_MAX - (it->length - 1))
		return false;
	if (it->granularity == PINREG_GRANULARITY_PAGE && (it->addr | it->length) % WHOLE_PAGE)
		return false;
	if (it->granularity > PINREG_GRANULARITY_PAGE)
		return false;
	return !it->mtu || (it->method == PINREG_METHOD_ODP && mtu_possible(it->mtu));
}

int pinreg_descriptor_export(const struct pinreg_descriptor *descriptor, void *out, size_t room)
{
	struct pinreg_descriptor it;
	unsigned char *to = out;
	if (!descriptor || !out || pinreg_opts_read(descriptor, &it, sizeof(it)) || !valid(&it))
		return -EINVAL;
	if (room < PINREG_DESCRIPTOR_LENGTH)
		return -ENOSPC;
	memset(to, 0, PINREG_DESCRIPTOR_LENGTH);
	memcpy(to + AT_MAGIC, magic, sizeof(magic));
	put(to + AT_VERSION, 2, VERSION);
	put(to + AT_LENGTH, 2, PINREG_DESCRIPTOR_LENGTH);
	put(to + AT_FLAGS, 2, it.flags);
	put(to + AT_METHOD, 1, it.method);
	put(to + AT_GRANULARITY, 1, it.granularity);
	put(to + AT_ACCESS, 4, it.access);
	put(to + AT_ID, 8, it.id);
	put(to + AT_GENERATION, 8, it.generation);
	put(to + AT_ADDR, 8, it.addr);
	put(to + AT_RANGE, 8, it.length);
	put(to + AT_RKEY, 4, it.rkey);
	put(to + AT_MTU, 2, it.mtu);
	put(to + AT_CHECKSUM, 4, pinreg_crc32(to, AT_CHECKSUM));
	return 0;
}

/* What does not depend on the fields of the struct. */
static bool framed(const unsigned char *from, size_t length)
{
	static const unsigned char zeros[AT_CHECKSUM - AT_RESERVED];
	return pinreg_descriptor_detect(from, length) && get(from + AT_VERSION, 2) == VERSION &&
	       get(from + AT_LENGTH, 2) == PINREG_DESCRIPTOR_LENGTH &&
	       get(from + AT_CHECKSUM, 4) == pinreg_crc32(from, AT_CHECKSUM) &&
	       !memcmp(from + AT_RESERVED, zeros, sizeof(zeros));
}

int pinreg_descriptor_import(const void *data, size_t length, struct pinreg_descriptor *out)
{
	const unsigned char *from = data;
	if (!data || pinreg_info_check(out, offsetof(struct pinreg_descriptor, mtu)))
		return -EINVAL;
	if (!framed(from, length))
		return -EBADMSG;
	struct pinreg_descriptor it = {
		.size = sizeof(it),
		.flags = (unsigned int)get(from + AT_FLAGS, 2),
		.method = (enum pinreg_method)get(from + AT_METHOD, 1),
		.granularity = (enum pinreg_granularity)get(from + AT_GRANULARITY, 1),
		.access = (unsigned int)get(from + AT_ACCESS, 4),
		.id = get(from + AT_ID, 8),
		.generation = get(from + AT_GENERATION, 8),
		.addr = get(from + AT_ADDR, 8),
		.length = get(from + AT_RANGE, 8),
		.rkey = (uint32_t)get(from + AT_RKEY, 4),
		.mtu = (unsigned int)get(from + AT_MTU, 2),
	};
	if (!valid(&it))
		return -EBADMSG;
	pinreg_info_write(out, &it, sizeof(it));
	return 0;
}

int pinreg_descriptor_detect(const void *data, size_t length)
{
	return data && length == PINREG_DESCRIPTOR_LENGTH &&
	       !memcmp((const unsigned char *)data + AT_MAGIC, magic, sizeof(magic));
}
