/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scene.c -- an input of the policy, to be changed where a case wants it so.
 */
#include "support/scene.h"

#include <string.h>

void scene_set(struct scene *scene, enum pinreg_kind kind, unsigned int prot, unsigned int access)
{
	memset(scene, 0, sizeof(*scene));
	scene->runs[0] = (struct pinreg_run){
		.size = sizeof(struct pinreg_run),
		.addr = BASE,
		.length = 16 * PAGE,
		.kind = kind,
		.prot = prot,
		.page_size = PAGE,
		.file_size = 16 * PAGE,
	};
	scene->input = (struct pinreg_policy_input){
		.addr = BASE,
		.length = 16 * PAGE,
		.runs = scene->runs,
		.count = 1,
		.page_size = PAGE,
		.access = access,
		.odp = IBV_ODP_SUPPORT,
		.odp_rc = IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV | IBV_ODP_SUPPORT_WRITE |
			  IBV_ODP_SUPPORT_READ,
		.flush_global = true,
		.flush_persistent = true,
		.max_mr_size = UINT64_MAX,
		.memlock = { .limit = UINT64_MAX },
		.budget = { .limit = UINT64_MAX },
		.trust = { .trust = PINREG_TRUST_FULL, .mtu = 4096 },
	};
}

struct pinreg_plan scene_decide(const struct scene *scene)
{
	struct pinreg_plan plan = { .size = sizeof(plan) };
	pinreg_policy_decide(&scene->input, &plan);
	return plan;
}
