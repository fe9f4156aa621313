/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scene.h -- an input of the policy, to be changed where a case wants it so.
 */
#ifndef PINREG_TESTS_SUPPORT_SCENE_H
#define PINREG_TESTS_SUPPORT_SCENE_H

#include "plan/policy.h"

#define RW (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)
#define RO IBV_ACCESS_REMOTE_READ
#define PRW (PINREG_PROT_READ | PINREG_PROT_WRITE)
#define PR PINREG_PROT_READ
#define PAGE 4096u
#define BASE 0x7f0000000000u

struct scene {
	struct pinreg_run runs[3];
	struct pinreg_policy_input input;
};

/* One run of 16 pages, without limits, on a device with trusted ODP but no atomics over it. */
void scene_set(struct scene *scene, enum pinreg_kind kind, unsigned int prot, unsigned int access);

struct pinreg_plan scene_decide(const struct scene *scene);

#endif
