/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c -- what a caller wants of a file, checked.
 */
#include "file/options.h"

#include <errno.h>

#include "base/opts.h"
#include "base/why.h"

int pinreg_file_options(const struct pinreg_file_opts *user, struct pinreg_file_opts *known,
			struct pinreg_why *why)
{
	if (pinreg_opts_read(user, known, sizeof(*known)) ||
	    known->on_shrink > PINREG_SHRINK_FOLLOW ||
	    known->on_replaced > PINREG_REPLACED_FOLLOW || known->on_reader > PINREG_READER_ADMIT ||
	    known->seal > PINREG_SEAL_IMMUTABLE || known->mode > 07777 ||
	    (known->create && !known->length))
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (known->seal == PINREG_SEAL_DEFAULT)
		known->seal = PINREG_SEAL_LEASE;
	/* who has no lease has nothing to come back to */
	if (known->on_replaced && known->seal == PINREG_SEAL_NONE)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	if (known->on_reader && known->seal != PINREG_SEAL_IMMUTABLE)
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	return 0;
}
