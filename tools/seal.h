/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seal.h -- pinreg seal and unseal: nobody opens a prepared file for writing.
 */
#ifndef TOOL_SEAL_H
#define TOOL_SEAL_H

#include "report.h"

extern const struct command command_seal;
extern const struct command command_unseal;

#endif
