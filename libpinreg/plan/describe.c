/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * describe.c -- reasons and plans in words.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <pinreg/plan.h>

#include "base/opts.h"
#include "plan/sentence.h"

static const char *missing_right(uint64_t prot)
{
	if (prot & PINREG_PROT_WRITE)
		return prot & PINREG_PROT_READ ? "readable or writable" : "writable";
	return "readable";
}

/* How it is known what on-demand paging does. */
static const char *proof(const struct pinreg_why *why)
{
	return why->assumed ? "is trusted on the caller's word"
			    : "moved the right bytes in the data test";
}

static int say_atomics(const struct pinreg_why *why, const struct pinreg_sentence *out)
{
	const char *kind = pinreg_kind_name(why->kind);
	char finding[80] = "no atomic operation on it could be tested";
	if (why->wrong)
		snprintf(finding, sizeof(finding),
			 "the data test found %u atomic operations on it wrong", why->wrong);
	if (why->reason == PINREG_REASON_ODP_ATOMICS)
		return pinreg_say(out, "%s memory needs on-demand paging here, and %s", kind,
				  finding);
	return pinreg_say(
		out,
		"%s memory cannot be pinned, and with on-demand paging %s, so a shadow of "
		"%" PRIu64 " bytes is pinned: commit and refresh move the data",
		kind, finding, why->wanted);
}

static int say_staged(const struct pinreg_why *why, const struct pinreg_sentence *out)
{
	const char *kind = pinreg_kind_name(why->kind);
	switch (why->reason) {
	case PINREG_REASON_STAGED_NO_ODP:
		return pinreg_say(
			out,
			"%s memory can neither be pinned nor paged on demand here, so a shadow of "
			"%" PRIu64 " bytes is pinned: commit and refresh move the data",
			kind, why->wanted);
	case PINREG_REASON_STAGED_UNTRUSTED:
		return pinreg_say(
			out,
			"%s memory cannot be pinned, and on-demand paging put %u bytes wrong at "
			"MTU "
			"%u, so a shadow of %" PRIu64 " bytes is pinned: commit and refresh move "
			"the data",
			kind, why->wrong, why->mtu, why->wanted);
	case PINREG_REASON_STAGED_GRANULARITY:
		return pinreg_say(
			out,
			"%s memory cannot be pinned, and on-demand paging is right for whole pages "
			"only (%u bytes wrong at MTU %u), so a shadow of %" PRIu64
			" bytes is pinned: commit and refresh move the data",
			kind, why->wrong, why->mtu, why->wanted);
	default:
		return pinreg_say(out,
				  "a shadow was asked for; %" PRIu64
				  " bytes are pinned: commit and refresh move the data",
				  why->wanted);
	}
}

static int say_choice(const struct pinreg_why *why, const struct pinreg_sentence *out)
{
	switch (why->reason) {
	case PINREG_REASON_PIN_MEMORY:
		return pinreg_say(out,
				  "the kernel pins %s memory for as long as it is needed, %" PRIu64
				  " bytes of it",
				  pinreg_kind_name(why->kind), why->wanted);
	case PINREG_REASON_PIN_READ_ONLY:
		return pinreg_say(
			out,
			"the kernel pins page cache that nobody is going to write, %" PRIu64
			" bytes of it",
			why->wanted);
	case PINREG_REASON_ODP_FSDAX:
		return pinreg_say(
			out,
			"the kernel refuses to pin DAX files, and on-demand paging %s at MTU %u",
			proof(why), why->mtu);
	case PINREG_REASON_ODP_PAGECACHE:
		return pinreg_say(
			out,
			"the kernel refuses to pin writable page cache, and on-demand paging %s at "
			"MTU %u",
			proof(why), why->mtu);
	case PINREG_REASON_ODP_REQUESTED:
		return pinreg_say(out, "on-demand paging was asked for, and %s at MTU %u",
				  proof(why), why->mtu);
	case PINREG_REASON_ODP_LIMIT:
		return pinreg_say(out,
				  "%" PRIu64 " more bytes may not be pinned (%" PRIu64
				  " of %" PRIu64 " are), and on-demand paging %s at MTU %u",
				  why->wanted, why->used, why->limit, proof(why), why->mtu);
	case PINREG_REASON_DMABUF_MEMORY:
		return pinreg_say(out, "a dma-buf was given, and the device can register it");
	case PINREG_REASON_STAGED_NO_ODP:
	case PINREG_REASON_STAGED_UNTRUSTED:
	case PINREG_REASON_STAGED_GRANULARITY:
	case PINREG_REASON_STAGED_REQUESTED:
		return say_staged(why, out);
	case PINREG_REASON_STAGED_ATOMICS:
		return say_atomics(why, out);
	default:
		return pinreg_say(out, "no reason is known");
	}
}

static int say_odp(const struct pinreg_why *why, const struct pinreg_sentence *out)
{
	const char *kind = pinreg_kind_name(why->kind);
	switch (why->reason) {
	case PINREG_REASON_ODP_MISSING:
		return pinreg_say(
			out,
			"%s memory needs on-demand paging here, and the device does not have it "
			"for the operations asked for",
			kind);
	case PINREG_REASON_ODP_UNTRUSTED:
		return pinreg_say(
			out,
			"%s memory needs on-demand paging here, and the data test found %u wrong "
			"bytes even in whole pages at MTU %u",
			kind, why->wrong, why->mtu);
	case PINREG_REASON_ODP_GRANULARITY:
		return pinreg_say(
			out,
			"%s memory needs on-demand paging here, which this device does right for "
			"whole pages only (%u wrong bytes in the data test at MTU %u): promise "
			"page granularity",
			kind, why->wrong, why->mtu);
	default:
		return pinreg_say(
			out,
			"%s memory needs on-demand paging here, and its data test could not be "
			"run: %s",
			kind, strerror(why->os_error));
	}
}

/* Refusals that are about the device and the limits. */
static int say_device(const struct pinreg_why *why, const struct pinreg_sentence *out)
{
	switch (why->reason) {
	case PINREG_REASON_KINDS:
		return pinreg_say(out,
				  "at 0x%" PRIx64
				  " the range crosses into another kind of memory (%s), which "
				  "the caller forbade",
				  why->addr, pinreg_kind_name(why->kind));
	case PINREG_REASON_IOVA:
		if (why->limit)
			return pinreg_say(out,
					  "the iova 0x%" PRIx64 " is at byte %" PRIu64
					  " of its page and the memory at byte %" PRIu64
					  ": both must be at the same place in pages of %" PRIu64
					  " bytes",
					  why->addr, why->wanted, why->used, why->limit);
		return pinreg_say(
			out,
			"addresses other than the memory's own (0x%" PRIx64
			") do not work here: on-demand paging has none, and for pinned memory the "
			"device's test was not passed",
			why->addr);
	case PINREG_REASON_FLUSH_MISSING:
		return pinreg_say(out, "the device cannot flush (access flags 0x%" PRIx64 ")",
				  why->wanted);
	case PINREG_REASON_FLUSH_NOT_PMEM:
		return pinreg_say(
			out,
			"a flush to persistence was asked for, and what would be registered of "
			"0x%" PRIx64 "-0x%" PRIx64 " (%s) is no persistent memory",
			why->addr, why->addr + why->length, pinreg_kind_name(why->kind));
	case PINREG_REASON_BUDGET:
		return pinreg_say(out,
				  "the domain may pin %" PRIu64 " bytes, %" PRIu64
				  " are pinned and %" PRIu64 " more were wanted",
				  why->limit, why->used, why->wanted);
	case PINREG_REASON_MKEYS:
		return pinreg_say(
			out, "the device has %" PRIu64 " of %" PRIu64 " possible memory regions",
			why->used, why->limit);
	case PINREG_REASON_MAP_COUNT:
		return pinreg_say(out,
				  "the process has %" PRIu64
				  " mappings, and vm.max_map_count allows %" PRIu64,
				  why->used, why->limit);
	case PINREG_REASON_DMABUF_MISSING:
		return pinreg_say(out, "the device cannot register dma-bufs: %s",
				  strerror(why->os_error));
	case PINREG_REASON_WINDOWS_MISSING:
		return pinreg_say(out, "the device has no memory windows of type 2");
	case PINREG_REASON_WINDOWS_METHOD:
		return pinreg_say(
			out,
			"peers were to come through memory windows, and this is registered by "
			"'%s': only with odp or staged the registration may outlive a fence",
			pinreg_method_name((enum pinreg_method)why->wanted));
	case PINREG_REASON_ODP_ATOMICS:
		return say_atomics(why, out);
	default:
		return say_odp(why, out);
	}
}

static int say_refusal(const struct pinreg_why *why, const struct pinreg_sentence *out)
{
	uint64_t from = why->addr, to = why->addr + why->length;
	switch (why->reason) {
	case PINREG_REASON_BAD_RANGE:
		return pinreg_say(out, "there is no range of %" PRIu64 " bytes at 0x%" PRIx64,
				  why->length, from);
	case PINREG_REASON_BAD_OPTION:
		return pinreg_say(
			out, "an option is unknown or contradicts another (flags 0x%" PRIx64 ")",
			why->wanted);
	case PINREG_REASON_HOLE:
		return pinreg_say(out, "nothing is mapped at 0x%" PRIx64 "-0x%" PRIx64, from, to);
	case PINREG_REASON_PROTECTION:
		return pinreg_say(out, "0x%" PRIx64 "-0x%" PRIx64 " (%s) is not %s", from, to,
				  pinreg_kind_name(why->kind), missing_right(why->wanted));
	case PINREG_REASON_PRIVATE_FILE:
		return pinreg_say(out,
				  "0x%" PRIx64 "-0x%" PRIx64
				  " is a private mapping of a file: remote writes "
				  "would land in copies and never reach the file",
				  from, to);
	case PINREG_REASON_SPECIAL:
		return pinreg_say(out,
				  "0x%" PRIx64 "-0x%" PRIx64 " is memory that no device may reach",
				  from, to);
	case PINREG_REASON_UNKNOWN_FILE:
		return pinreg_say(out,
				  "0x%" PRIx64 "-0x%" PRIx64
				  " maps a file that could not be looked at (deleted, "
				  "and not open here)",
				  from, to);
	case PINREG_REASON_PIN_IMPOSSIBLE:
		return pinreg_say(out,
				  "the kernel does not pin 0x%" PRIx64 "-0x%" PRIx64
				  " (%s) for this access",
				  from, to, pinreg_kind_name(why->kind));
	case PINREG_REASON_UNALIGNED:
		return pinreg_say(out,
				  "0x%" PRIx64 "-0x%" PRIx64
				  " is not made of whole pages of %" PRIu64
				  " bytes, as page granularity needs",
				  from, to, why->limit);
	case PINREG_REASON_METHOD_UNAVAILABLE:
		return pinreg_say(out, "this version cannot do the method '%s'",
				  pinreg_method_name((enum pinreg_method)why->wanted));
	case PINREG_REASON_MEMLOCK:
		return pinreg_say(out,
				  "RLIMIT_MEMLOCK is %" PRIu64 " bytes, %" PRIu64
				  " are pinned and %" PRIu64
				  " more were wanted: raise the limit or give CAP_IPC_LOCK",
				  why->limit, why->used, why->wanted);
	case PINREG_REASON_TOO_LONG:
		return pinreg_say(out,
				  "%" PRIu64
				  " bytes are more than the device's largest region of %" PRIu64,
				  why->wanted, why->limit);
	case PINREG_REASON_VERBS:
		if (!why->length)
			return pinreg_say(out, "%s failed: %s", why->step, strerror(why->os_error));
		return pinreg_say(out,
				  "the kernel refused the registration of %" PRIu64
				  " bytes at 0x%" PRIx64 ": %s",
				  why->length, from, strerror(why->os_error));
	case PINREG_REASON_FENCED:
		return pinreg_say(out, "the file is not held at the moment (its lease was broken)");
	case PINREG_REASON_FORKED:
		return pinreg_say(out,
				  "this process has the domain from its parent, by fork(): it must "
				  "open one of its own");
	case PINREG_REASON_PAST_END:
		return pinreg_say(out,
				  "0x%" PRIx64 "-0x%" PRIx64
				  " lies behind the end of the mapped file (%" PRIu64 " bytes)",
				  from, to, why->limit);
	default:
		return say_device(why, out);
	}
}

/* A cache keeps less than was hoped, or was not opened. */
static int say_cache(const struct pinreg_why *why, const struct pinreg_sentence *out)
{
	return pinreg_say(out,
			  "the kernel does not tell of memory that is unmapped (%s: %s), so pinned "
			  "registrations cannot be kept",
			  why->step, strerror(why->os_error));
}

int pinreg_why_describe(const struct pinreg_why *why, char *buf, size_t len)
{
	if (!why || (!buf && len))
		return -EINVAL;
	struct pinreg_sentence out = { buf, len };
	if (why->reason < PINREG_REASON_BAD_RANGE)
		return say_choice(why, &out);
	if (why->reason < PINREG_REASON_FILE_NOT_REGULAR)
		return say_refusal(why, &out);
	if (why->reason >= PINREG_REASON_UNHEARD)
		return say_cache(why, &out);
	return pinreg_say_file(why, &out);
}

int pinreg_plan_describe(const struct pinreg_plan *plan, char *buf, size_t len)
{
	char why[512];
	/* a plan of an older caller may end before the reason */
	if (pinreg_info_check(plan, offsetof(struct pinreg_plan, warnings)) || (!buf && len) ||
	    pinreg_why_describe(&plan->why, why, sizeof(why)) < 0)
		return -EINVAL;
	struct pinreg_sentence out = { buf, len };
	if (plan->method == PINREG_METHOD_REFUSE)
		return pinreg_say(&out, "refused: %s", why);
	bool pages = plan->method == PINREG_METHOD_ODP && plan->odp_trust == PINREG_TRUST_PAGE;
	return pinreg_say(&out, "%s: %s%s", pinreg_method_name(plan->method), why,
			  pages ? " (whole pages only)" : "");
}
