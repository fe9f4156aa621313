/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * words.c -- sets of bits, as words.
 */
#include "words.h"

#include <linux/fiemap.h>
#include <stdio.h>

#include <pinreg/pinreg.h>

/* Bits that rdma-core has only of late are given as the kernel's numbers. */
const struct word words_access[] = {
	{ IBV_ACCESS_LOCAL_WRITE, "local-write" },
	{ IBV_ACCESS_REMOTE_WRITE, "remote-write" },
	{ IBV_ACCESS_REMOTE_READ, "remote-read" },
	{ IBV_ACCESS_REMOTE_ATOMIC, "remote-atomic" },
	{ IBV_ACCESS_MW_BIND, "mw-bind" },
	{ IBV_ACCESS_ZERO_BASED, "zero-based" },
	{ IBV_ACCESS_ON_DEMAND, "on-demand" },
	{ IBV_ACCESS_HUGETLB, "hugetlb" },
	{ 1u << 8, "flush-global" },
	{ 1u << 9, "flush-persistent" },
	{ IBV_ACCESS_RELAXED_ORDERING, "relaxed-ordering" },
	{ 0, NULL },
};

const struct word words_operation[] = {
	{ IBV_ODP_SUPPORT_SEND, "send" },
	{ IBV_ODP_SUPPORT_RECV, "recv" },
	{ IBV_ODP_SUPPORT_WRITE, "write" },
	{ IBV_ODP_SUPPORT_READ, "read" },
	{ IBV_ODP_SUPPORT_ATOMIC, "atomic" },
	{ IBV_ODP_SUPPORT_SRQ_RECV, "srq-recv" },
	{ 1u << 6, "flush" },
	{ 1u << 7, "atomic-write" },
	{ 0, NULL },
};

const struct word words_window[] = {
	{ 1, "type-1" },
	{ 2, "type-2a" },
	{ 4, "type-2b" },
	{ 0, NULL },
};

const struct word words_extent[] = {
	{ FIEMAP_EXTENT_UNKNOWN, "unknown" },	      { FIEMAP_EXTENT_DELALLOC, "delalloc" },
	{ FIEMAP_EXTENT_ENCODED, "encoded" },	      { FIEMAP_EXTENT_DATA_ENCRYPTED, "encrypted" },
	{ FIEMAP_EXTENT_NOT_ALIGNED, "not-aligned" }, { FIEMAP_EXTENT_DATA_INLINE, "inline" },
	{ FIEMAP_EXTENT_DATA_TAIL, "tail" },	      { FIEMAP_EXTENT_UNWRITTEN, "unwritten" },
	{ FIEMAP_EXTENT_SHARED, "shared" },	      { 0, NULL },
};

struct word_text words_first(const struct word *table, unsigned int bits)
{
	unsigned int bit = bits & -bits;
	struct word_text out;

	while (table->name && table->bit != bit)
		table++;
	if (table->name)
		snprintf(out.text, sizeof(out.text), "%s", table->name);
	else
		snprintf(out.text, sizeof(out.text), "0x%x", bit);
	return out;
}

void words_join(const struct word *table, unsigned int bits, char *buf, size_t len)
{
	size_t at = 0;

	snprintf(buf, len, "none");
	for (; bits && at < len; bits &= bits - 1) {
		int more = snprintf(buf + at, len - at, "%s%s", at ? " " : "",
				    words_first(table, bits).text);

		at += more > 0 ? (size_t)more : 0;
	}
}

const char *words_warning(unsigned int warning)
{
	switch (warning) {
	case PINREG_WARN_PRIVATE_COPIES:
		return "writes land in copies, never in the file";
	case PINREG_WARN_MIXED_KINDS:
		return "the range crosses kinds, and the strictest decided";
	case PINREG_WARN_PATH_MTU:
		return "holds only for connections with this path MTU";
	case PINREG_WARN_WHOLE_PAGES:
		return "right only for page-aligned whole pages";
	case PINREG_WARN_MUST_COMMIT:
		return "a shadow: only commit and refresh move the data";
	case PINREG_WARN_HUGE_END:
		return "ends inside a huge page, all of which is pinned";
	default:
		return "";
	}
}
