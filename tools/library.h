/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library.h -- what the library said no to, as the tool's failure.
 */
#ifndef TOOL_LIBRARY_H
#define TOOL_LIBRARY_H

#include <pinreg/reason.h>

#include "failure.h"

/*
 * "PATH: the reason in a sentence". Return: STATUS_DIFFERS where the file is not
 * prepared, STATUS_REFUSED for all else.
 */
enum status library_refused(struct failure *failure, const char *path, const struct pinreg_why *why,
			    int result);

#endif
