/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.h -- pinreg verify: is a file prepared?
 */
#ifndef TOOL_VERIFY_H
#define TOOL_VERIFY_H

#include "report.h"

extern const struct command command_verify;

#endif
