/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library.c -- what the library said no to, as the tool's failure.
 */
#include "library.h"

#include <stdlib.h>

enum status library_refused(struct failure *failure, const char *path, const struct pinreg_why *why,
			    int result)
{
	char sentence[512];
	enum status status =
		why->reason == PINREG_REASON_FILE_EXTENTS ? STATUS_DIFFERS : STATUS_REFUSED;

	pinreg_why_describe(why, sentence, sizeof(sentence));
	return fail(failure, status, abs(result), "%s: %s", path, sentence);
}
