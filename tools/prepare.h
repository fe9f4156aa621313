/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare.h -- pinreg prepare: a file is made ready for registration.
 */
#ifndef TOOL_PREPARE_H
#define TOOL_PREPARE_H

#include "report.h"

extern const struct command command_prepare;

#endif
