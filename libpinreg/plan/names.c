/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.c -- reasons, methods and warnings in a word.
 */
#include <stddef.h>

#include <pinreg/plan.h>

static const struct {
	enum pinreg_reason reason;
	const char *name;
} names[] = {
	{ PINREG_REASON_NONE, "none" },
	{ PINREG_REASON_PIN_MEMORY, "pin-memory" },
	{ PINREG_REASON_PIN_READ_ONLY, "pin-read-only" },
	{ PINREG_REASON_ODP_FSDAX, "odp-fsdax" },
	{ PINREG_REASON_ODP_PAGECACHE, "odp-pagecache" },
	{ PINREG_REASON_ODP_REQUESTED, "odp-requested" },
	{ PINREG_REASON_STAGED_NO_ODP, "staged-no-odp" },
	{ PINREG_REASON_STAGED_UNTRUSTED, "staged-untrusted" },
	{ PINREG_REASON_STAGED_GRANULARITY, "staged-granularity" },
	{ PINREG_REASON_STAGED_REQUESTED, "staged-requested" },
	{ PINREG_REASON_ODP_LIMIT, "odp-limit" },
	{ PINREG_REASON_DMABUF_MEMORY, "dmabuf-memory" },
	{ PINREG_REASON_STAGED_ATOMICS, "staged-atomics" },
	{ PINREG_REASON_BAD_RANGE, "bad-range" },
	{ PINREG_REASON_BAD_OPTION, "bad-option" },
	{ PINREG_REASON_HOLE, "hole" },
	{ PINREG_REASON_PROTECTION, "protection" },
	{ PINREG_REASON_PRIVATE_FILE, "private-file" },
	{ PINREG_REASON_SPECIAL, "special" },
	{ PINREG_REASON_UNKNOWN_FILE, "unknown-file" },
	{ PINREG_REASON_PIN_IMPOSSIBLE, "pin-impossible" },
	{ PINREG_REASON_ODP_MISSING, "odp-missing" },
	{ PINREG_REASON_ODP_UNTRUSTED, "odp-untrusted" },
	{ PINREG_REASON_ODP_GRANULARITY, "odp-granularity" },
	{ PINREG_REASON_ODP_UNTESTED, "odp-untested" },
	{ PINREG_REASON_UNALIGNED, "unaligned" },
	{ PINREG_REASON_METHOD_UNAVAILABLE, "method-unavailable" },
	{ PINREG_REASON_MEMLOCK, "memlock" },
	{ PINREG_REASON_TOO_LONG, "too-long" },
	{ PINREG_REASON_VERBS, "verbs" },
	{ PINREG_REASON_FENCED, "fenced" },
	{ PINREG_REASON_PAST_END, "past-end" },
	{ PINREG_REASON_KINDS, "kinds" },
	{ PINREG_REASON_IOVA, "iova" },
	{ PINREG_REASON_FLUSH_MISSING, "flush-missing" },
	{ PINREG_REASON_FLUSH_NOT_PMEM, "flush-not-pmem" },
	{ PINREG_REASON_BUDGET, "budget" },
	{ PINREG_REASON_MKEYS, "mkeys" },
	{ PINREG_REASON_MAP_COUNT, "map-count" },
	{ PINREG_REASON_DMABUF_MISSING, "dmabuf-missing" },
	{ PINREG_REASON_ODP_ATOMICS, "odp-atomics" },
	{ PINREG_REASON_FORKED, "forked" },
	{ PINREG_REASON_WINDOWS_MISSING, "windows-missing" },
	{ PINREG_REASON_WINDOWS_METHOD, "windows-method" },
	{ PINREG_REASON_FILE_NOT_REGULAR, "file-not-regular" },
	{ PINREG_REASON_FILE_SYMLINK, "file-symlink" },
	{ PINREG_REASON_FILE_NOT_DAX, "file-not-dax" },
	{ PINREG_REASON_FILE_OVERLAY, "file-overlay" },
	{ PINREG_REASON_FILE_IN_USE, "file-in-use" },
	{ PINREG_REASON_FILE_LEASE_DENIED, "file-lease-denied" },
	{ PINREG_REASON_FILE_LEASE_UNSUPPORTED, "file-lease-unsupported" },
	{ PINREG_REASON_FILE_NO_SPACE, "file-no-space" },
	{ PINREG_REASON_FILE_SIZE, "file-size" },
	{ PINREG_REASON_FILE_EXTENTS, "file-extents" },
	{ PINREG_REASON_FILE_SYSTEM_CALL, "file-system-call" },
	{ PINREG_REASON_FILE_TAKEN, "file-taken" },
	{ PINREG_REASON_FILE_SHRUNK, "file-shrunk" },
	{ PINREG_REASON_FILE_REPLACED, "file-replaced" },
	{ PINREG_REASON_FILE_OWNED, "file-owned" },
	{ PINREG_REASON_FILE_SEAL_RIGHT, "file-seal-right" },
	{ PINREG_REASON_FILE_SEAL_UNSUPPORTED, "file-seal-unsupported" },
	{ PINREG_REASON_FILE_NOT_SEALED, "file-not-sealed" },
	{ PINREG_REASON_FILE_RECORD_UNTRUSTED, "file-record-untrusted" },
	{ PINREG_REASON_FILE_RECORD_BAD, "file-record-bad" },
	{ PINREG_REASON_FILE_CANCELLED, "file-cancelled" },
	{ PINREG_REASON_NO_SIGNAL, "no-signal" },
	{ PINREG_REASON_FILE_LEASE_LOST, "file-lease-lost" },
	{ PINREG_REASON_UNHEARD, "unheard" },
};

const char *pinreg_reason_name(enum pinreg_reason reason)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].reason == reason)
			return names[i].name;
	return "?";
}

const char *pinreg_method_name(enum pinreg_method method)
{
	static const char *const words[] = { "auto", "pin", "odp", "staged", "dmabuf", "refuse" };
	return method <= PINREG_METHOD_REFUSE ? words[method] : "?";
}

const char *pinreg_warning_name(unsigned int warning)
{
	switch (warning) {
	case PINREG_WARN_PRIVATE_COPIES:
		return "private-copies";
	case PINREG_WARN_MIXED_KINDS:
		return "mixed-kinds";
	case PINREG_WARN_PATH_MTU:
		return "path-mtu";
	case PINREG_WARN_WHOLE_PAGES:
		return "whole-pages";
	case PINREG_WARN_MUST_COMMIT:
		return "must-commit";
	case PINREG_WARN_HUGE_END:
		return "huge-end";
	default:
		return "?";
	}
}
