/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits.c -- the device and its limits, as both commands print them.
 */
#include "limits.h"

#include <inttypes.h>

#include "size.h"
#include "text.h"

void limits_text(const struct pinreg_domain_info *info)
{
	text_field("limits", TEXT_PLAIN, "largest region: %s", size_write(info->max_mr_size).text);
	text_field("", TEXT_PLAIN, "regions: at most %" PRIu64, info->max_mr);
	text_field("", TEXT_PLAIN, "RLIMIT_MEMLOCK: %s, %s used by this process",
		   size_write(info->memlock_limit).text, size_write(info->memlock_used).text);
	text_field("", TEXT_PLAIN, "pin budget: %s", size_write(info->pin_budget).text);
}

void limits_json(struct json_object *document, const struct pinreg_domain_info *info)
{
	struct json_object *limits = doc_child(document, "limits");

	doc_limit(limits, "max_mr_size", info->max_mr_size);
	doc_number(limits, "max_mr", info->max_mr);
	doc_limit(limits, "memlock_limit", info->memlock_limit);
	doc_number(limits, "memlock_used", info->memlock_used);
	doc_limit(limits, "pin_budget", info->pin_budget);
	doc_number(limits, "pinned", info->pinned);
}

void device_text(const struct pinreg_domain_info *info)
{
	text_field("device", TEXT_PLAIN, "%s port %u, MTU %u", info->device, info->port,
		   info->active_mtu);
}

void device_json(struct json_object *document, const struct pinreg_domain_info *info)
{
	struct json_object *device = doc_child(document, "device");

	doc_text(device, "name", info->device);
	doc_number(device, "port", info->port);
	doc_number(device, "mtu", info->active_mtu);
}
