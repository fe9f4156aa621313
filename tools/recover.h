/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recover.h -- pinreg recover: what dead owners of files left behind.
 */
#ifndef TOOL_RECOVER_H
#define TOOL_RECOVER_H

#include "report.h"

extern const struct command command_recover;

#endif
