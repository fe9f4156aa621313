/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offline.c -- preparing and recovering a file without a domain.
 */
#include "file/offline.h"

#include <errno.h>
#include <stddef.h>

#include "base/opts.h"
#include "base/why.h"
#include "file/alone.h"
#include "file/guard.h"
#include "file/options.h"
#include "file/recover.h"

static int prepare_leased(struct pinreg_guard *guard, struct pinreg_prepared *file,
			  struct pinreg_tenure *tenure, struct pinreg_why *why)
{
	int status = pinreg_guard_begin(guard, file, why);
	if (!status)
		status = pinreg_prepared_prepare(file, tenure, why);
	if (!status)
		status = pinreg_guard_settle(guard, file, why);
	if (!status)
		status = pinreg_guard_seal(guard, file, why);
	if (!status)
		status = pinreg_tenure_check(tenure, why);
	if (!status) {
		pinreg_prepared_keep(file);
		return 0;
	}
	pinreg_guard_end(guard, file);
	pinreg_prepared_undo(file, tenure);
	return status;
}

static struct pinreg_file_report report_of(const struct pinreg_prepared *file)
{
	struct pinreg_file_report report = file->report;
	report.file_size = file->size;
	report.device = file->st_dev;
	report.inode = file->inode;
	report.dax = file->dax;
	report.zeroed = file->zeroed;
	file->device->sys->file_generation(file->fd, &report.inode_generation);
	return report;
}

/* It is closed afterwards. */
static int prepare_opened(struct pinreg_prepared *file, enum pinreg_seal seal,
			  struct pinreg_file_report *report, struct pinreg_why *why)
{
	struct pinreg_guard guard;
	struct pinreg_alone alone;
	int status = pinreg_guard_open(&guard, file, seal, why);
	if (status) {
		pinreg_prepared_close(file);
		return status;
	}
	guard.standing = seal == PINREG_SEAL_IMMUTABLE;
	status = pinreg_guard_reopen(&guard, file, why);
	if (!status)
		status = pinreg_alone_begin(&alone, file->device->sys, file->fd, why);
	if (!status) {
		status = prepare_leased(&guard, file, &alone.tenure, why);
		pinreg_alone_end(&alone);
	}
	*report = report_of(file);
	report->immutable = guard.sealed;
	pinreg_prepared_close(file);
	pinreg_guard_close(&guard); /* last: what it tells of is undone */
	return status;
}

int pinreg_offline_prepare(const struct pinreg_sys *sys, int dirfd, const char *path,
			   const struct pinreg_file_opts *opts, struct pinreg_why *why,
			   struct pinreg_file_report *out)
{
	struct pinreg_device device = { .sys = sys };
	struct pinreg_prepared file;
	struct pinreg_file_report report;
	struct pinreg_file_opts known;
	struct pinreg_why unheard;
	if (!why)
		why = &unheard;
	pinreg_why_set(why, PINREG_REASON_NONE, 0);
	if (!path || (out && pinreg_info_check(out, offsetof(struct pinreg_file_report, dax))))
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	int status = pinreg_file_options(opts, &known, why);
	if (!status)
		status = pinreg_recover_first(sys, dirfd, path, why);
	if (!status)
		status = pinreg_prepared_open(&file, &device, dirfd, path, &known, why);
	if (status)
		return status;
	status = prepare_opened(&file, known.seal, &report, why);
	if (!status && out)
		pinreg_info_write(out, &report, sizeof(report));
	return status;
}

int pinreg_offline_recover(const struct pinreg_sys *sys, int dirfd, const char *path,
			   struct pinreg_why *why, struct pinreg_recovery_report *out)
{
	struct pinreg_recovery_report report;
	struct pinreg_why unheard;
	if (!why)
		why = &unheard;
	pinreg_why_set(why, PINREG_REASON_NONE, 0);
	if (!path || pinreg_info_check(out, offsetof(struct pinreg_recovery_report, pid)))
		return pinreg_why_set(why, PINREG_REASON_BAD_OPTION, -EINVAL);
	int status = pinreg_recover(sys, dirfd, path, why, &report);
	if (!status)
		pinreg_info_write(out, &report, sizeof(report));
	return status;
}

int pinreg_file_prepare(int dirfd, const char *path, const struct pinreg_file_opts *opts,
			struct pinreg_why *why, struct pinreg_file_report *out)
{
	return pinreg_offline_prepare(&pinreg_sys_real, dirfd, path, opts, why, out);
}

int pinreg_file_recover(int dirfd, const char *path, struct pinreg_why *why,
			struct pinreg_recovery_report *out)
{
	return pinreg_offline_recover(&pinreg_sys_real, dirfd, path, why, out);
}
