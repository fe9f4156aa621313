/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * describe_file.c -- why a file was refused or lost, in words.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plan/sentence.h"

int pinreg_say(const struct pinreg_sentence *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = vsnprintf(out->buf, out->len, format, args);
	va_end(args);
	return length < 0 ? -EINVAL : length;
}

int pinreg_say_file(const struct pinreg_why *why, const struct pinreg_sentence *out)
{
	switch (why->reason) {
	case PINREG_REASON_FILE_NOT_REGULAR:
		return pinreg_say(out, "it is not a regular file");
	case PINREG_REASON_FILE_SYMLINK:
		return pinreg_say(out, "it is a symbolic link, which is not followed");
	case PINREG_REASON_FILE_NOT_DAX:
		return pinreg_say(out,
				  "the file is not in DAX state, and page cache was not allowed");
	case PINREG_REASON_FILE_OVERLAY:
		return pinreg_say(out,
				  "it lies on overlayfs, whose leases do not hold for mappings");
	case PINREG_REASON_FILE_IN_USE:
		if (why->used)
			return pinreg_say(
				out,
				"process %" PRIu64
				" holds a lease on the file, which opening it would break",
				why->used);
		return pinreg_say(out, "somebody else has the file open or mapped (try fuser)");
	case PINREG_REASON_FILE_LEASE_DENIED:
		return pinreg_say(out, "only the file's owner or CAP_LEASE may take a lease on it");
	case PINREG_REASON_FILE_LEASE_UNSUPPORTED:
		return pinreg_say(out, "the filesystem does not support leases: %s",
				  strerror(why->os_error));
	case PINREG_REASON_FILE_NO_SPACE:
		return pinreg_say(out, "no room for %" PRIu64 " bytes: %s", why->wanted,
				  strerror(why->os_error));
	case PINREG_REASON_FILE_SIZE:
		return pinreg_say(out,
				  "a length of %" PRIu64
				  " bytes is not possible: it must be whole pages of "
				  "%" PRIu64 " bytes, and not zero",
				  why->wanted, why->limit);
	case PINREG_REASON_FILE_EXTENTS:
		return pinreg_say(out,
				  "after preparing, %" PRIu64 " bytes at offset %" PRIu64
				  " are not plainly written blocks (FIEMAP flags 0x%" PRIx64 ")",
				  why->length, why->addr, why->wanted);
	case PINREG_REASON_FILE_TAKEN:
		return pinreg_say(
			out, "somebody opened or truncated the file while it was being prepared");
	case PINREG_REASON_FILE_SHRUNK:
		return pinreg_say(out, "the file came back with %" PRIu64 " of %" PRIu64 " bytes",
				  why->used, why->wanted);
	case PINREG_REASON_FILE_REPLACED:
		if (why->step[0])
			return pinreg_say(out, "the path leads to another file now, which is %s",
					  why->step);
		return pinreg_say(out, "the path leads to another file now, or to none");
	case PINREG_REASON_FILE_OWNED:
		return pinreg_say(out,
				  "by its record the file belongs to process %" PRIu64
				  ", which is alive",
				  why->used);
	case PINREG_REASON_FILE_SEAL_RIGHT:
		return pinreg_say(
			out, "the immutable flag needs CAP_LINUX_IMMUTABLE and the file's owner; "
			     "PINREG_SEAL_LEASE needs neither");
	case PINREG_REASON_FILE_SEAL_UNSUPPORTED:
		return pinreg_say(
			out, "no immutable flag here: %s; PINREG_SEAL_LEASE does not need it",
			why->os_error ? strerror(why->os_error)
				      : "who writes through a mapping would die of SIGBUS");
	case PINREG_REASON_FILE_NOT_SEALED:
		return pinreg_say(out, "there is no record of a seal to take off");
	case PINREG_REASON_FILE_RECORD_UNTRUSTED:
		return pinreg_say(out, "the record beside the file is not believed: %s", why->step);
	case PINREG_REASON_FILE_RECORD_BAD:
		return pinreg_say(out, "the record beside the file is damaged");
	case PINREG_REASON_FILE_CANCELLED:
		return pinreg_say(out, "the caller's own function ended it");
	case PINREG_REASON_FILE_LEASE_LOST:
		if (why->used)
			return pinreg_say(
				out,
				"the lease was gone before the keys were dead: for up to %.3f "
				"ms others may have had the file meanwhile",
				(double)why->used / 1e6);
		return pinreg_say(
			out,
			"the lease was gone already when that was noticed, and keys worked for "
			"%.3f ms more: others may have had the file for long",
			(double)why->wanted / 1e6);
	case PINREG_REASON_NO_SIGNAL:
		return pinreg_say(out,
				  "a lease needs a real-time signal, and this process handles or "
				  "blocks all of them: leave one, or name one as break_signal");
	default:
		return pinreg_say(out, "%s failed: %s", why->step[0] ? why->step : "a system call",
				  strerror(why->os_error));
	}
}
