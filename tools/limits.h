/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits.h -- the device and its limits, as both commands print them.
 */
#ifndef TOOL_LIMITS_H
#define TOOL_LIMITS_H

#include <pinreg/pinreg.h>

#include "document.h"

void limits_text(const struct pinreg_domain_info *info);
void limits_json(struct json_object *document, const struct pinreg_domain_info *info);

void device_text(const struct pinreg_domain_info *info);
void device_json(struct json_object *document, const struct pinreg_domain_info *info);

#endif
