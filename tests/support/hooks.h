/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.h -- a domain of host.h with some calls replaced, and two files on it.
 */
#ifndef PINREG_TESTS_SUPPORT_HOOKS_H
#define PINREG_TESTS_SUPPORT_HOOKS_H

#include "support/fake_device.h"
#include "support/host.h"

#define HOOKS_PAGES 16u
#define HOOKS_LENGTH (HOOKS_PAGES * 4096u)

/* Set what is to be replaced, before hooks_domain(). With device_watch_*: DEVICE events. */
extern struct pinreg_sys hooks;
extern pinreg_log_function *hooks_log; /* or NULL */
extern int hooks_break_signal;
extern pinreg_event_function *hooks_on_event; /* or NULL; its context is NULL */

int hooks_try_domain(unsigned int quiesce_ms, struct pinreg_domain **domain);
struct pinreg_domain *hooks_domain(unsigned int quiesce_ms);

extern const struct pinreg_file_opts hooks_cache_ok;
extern char hooks_a[256], hooks_b[256];

void hooks_nap(unsigned int ms);
void hooks_files(void);
struct pinreg_file *hooks_open(struct pinreg_domain *domain, const char *path);
struct pinreg_region *hooks_register(struct pinreg_file *file);

#endif
