/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps.h -- pinreg caps: what the device says of itself, and what the test found.
 */
#ifndef TOOL_CAPS_H
#define TOOL_CAPS_H

#include "report.h"

extern const struct command command_caps;

#endif
