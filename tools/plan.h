/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan.h -- pinreg plan: what would be done with memory, and whether it is so.
 */
#ifndef TOOL_PLAN_H
#define TOOL_PLAN_H

#include <stdbool.h>

#include <pinreg/pinreg.h>

#include "device.h"
#include "memory.h"
#include "outcome.h"
#include "report.h"

extern const struct command command_plan;

struct plan_options {
	struct device_options device;
	struct memory_request memory;
	unsigned int access;	  /* of plan_accesses */
	unsigned int granularity; /* of enum pinreg_granularity */
	unsigned int method;	  /* of enum pinreg_method */
	bool register_it;
	bool json;
};

#define PLAN_ACCESSES "rw|ro"
#define PLAN_ACCESS_RO 1u

/* All that is printed. */
struct plan_answer {
	const struct plan_options *options;
	struct memory memory;
	struct pinreg_domain_info info; /* before anything was registered */
	struct pinreg_plan plan;
	struct pinreg_backing *backing;
	struct outcome outcome; /* where options->register_it */
};

void plan_print_text(const struct plan_answer *answer);
void plan_print_json(const struct plan_answer *answer);

#endif
