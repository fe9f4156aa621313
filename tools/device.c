/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c -- an RDMA device, opened by its name or as the first one.
 */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void to_stderr(void *context, enum pinreg_log_level level, const char *line)
{
	(void)context;
	if (level <= PINREG_LOG_WARNING)
		fprintf(stderr, "pinreg: %s\n", line);
}

/* The devices that there are, when it was none of them. */
static enum status no_such(struct ibv_device **list, const char *name, struct failure *failure)
{
	char names[256] = "";
	size_t at = 0;

	for (; *list && at < sizeof(names); list++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", at ? ", " : "",
				       ibv_get_device_name(*list));
	return fail(failure, STATUS_REFUSED, ENODEV,
		    "there is no RDMA device '%s' here; there is %s", name, names);
}

static enum status open_named(struct ibv_device **list, const char *name, struct device *out,
			      struct failure *failure)
{
	struct ibv_device **found = list;

	while (*found && name && strcmp(ibv_get_device_name(*found), name) != 0)
		found++;
	if (!*found)
		return no_such(list, name, failure);
	out->context = ibv_open_device(*found);
	if (!out->context)
		return fail(failure, STATUS_REFUSED, errno, "cannot open the RDMA device %s: %s",
			    ibv_get_device_name(*found), strerror(errno));
	return STATUS_GOOD;
}

static enum status open_context(const char *name, struct device *out, struct failure *failure)
{
	int count = 0;
	struct ibv_device **list = ibv_get_device_list(&count);
	enum status status;

	if (list && count)
		status = open_named(list, name, out, failure);
	else if (list || errno == ENOSYS) /* ENOSYS: the kernel has no RDMA */
		status = fail(failure, STATUS_REFUSED, ENODEV, "this machine has no RDMA device");
	else
		status = fail(failure, STATUS_REFUSED, errno, "cannot list the RDMA devices: %s",
			      strerror(errno));
	if (list)
		ibv_free_device_list(list);
	return status;
}

/* The library's answer to a port that is not there does not tell it from another mistake. */
static enum status check_port(struct ibv_context *context, unsigned int port,
			      struct failure *failure)
{
	struct ibv_device_attr attr;
	int error = ibv_query_device(context, &attr);

	if (error)
		return fail(failure, STATUS_REFUSED, error, "cannot query %s: %s",
			    ibv_get_device_name(context->device), strerror(error));
	if (port > attr.phys_port_cnt)
		return fail(failure, STATUS_REFUSED, ENODEV, "%s has no port %u: its last is %u",
			    ibv_get_device_name(context->device), port, attr.phys_port_cnt);
	return STATUS_GOOD;
}

static enum status open_domain(const struct device_options *options, struct device *out,
			       struct failure *failure)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts),
					   .port = options->port,
					   .pin_budget = options->budget,
					   .log = to_stderr };
	const char *name = ibv_get_device_name(out->context->device);
	int ret;

	if (check_port(out->context, options->port, failure))
		return failure->status;
	out->pd = ibv_alloc_pd(out->context);
	if (!out->pd)
		return fail(failure, STATUS_REFUSED, errno, "no protection domain on %s: %s", name,
			    strerror(errno));
	ret = pinreg_domain_open(out->pd, &opts, &out->domain);
	if (ret)
		return fail(failure, STATUS_REFUSED, -ret, "cannot use %s: %s", name,
			    strerror(-ret));
	return STATUS_GOOD;
}

enum status device_open(const struct device_options *options, struct device *out,
			struct failure *failure)
{
	enum status status;

	*out = (struct device){ 0 };
	status = open_context(options->name, out, failure);
	if (!status)
		status = open_domain(options, out, failure);
	if (status)
		device_close(out);
	return status;
}

void device_close(struct device *device)
{
	pinreg_domain_close(device->domain);
	if (device->pd)
		ibv_dealloc_pd(device->pd);
	if (device->context)
		ibv_close_device(device->context);
	*device = (struct device){ 0 };
}
