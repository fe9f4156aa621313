/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan.c -- pinreg plan: what would be done with memory, and whether it is so.
 */
#include "plan.h"

#include <stddef.h>
#include <string.h>

static enum status check_options(const struct plan_options *options, struct failure *failure)
{
	const struct memory_request *memory = &options->memory;
	int sources = !!memory->file + !!memory->anon + !!memory->hugetlb + !!memory->memfd;

	if (sources != 1)
		return fail(failure, STATUS_USAGE, 0,
			    "one of --file, --anon, --hugetlb and --memfd says what memory");
	if (!memory->file && (memory->offset || memory->length || memory->private))
		return fail(failure, STATUS_USAGE, 0,
			    "--offset, --length and --private belong to --file");
	return STATUS_GOOD;
}

static enum status ask(struct pinreg_domain *domain, struct plan_answer *answer,
		       struct failure *failure)
{
	const struct plan_options *options = answer->options;
	const struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.read_only = options->access == PLAN_ACCESS_RO,
		.method = (enum pinreg_method)options->method,
		.granularity = (enum pinreg_granularity)options->granularity,
	};
	const struct memory *memory = &answer->memory;
	int ret = pinreg_backing_query(memory->addr, memory->length, &answer->backing);

	if (ret)
		return fail(failure, STATUS_REFUSED, -ret, "cannot look at the memory: %s",
			    strerror(-ret));
	ret = pinreg_domain_query(domain, &answer->info);
	if (ret)
		return fail(failure, STATUS_REFUSED, -ret, "cannot query the device: %s",
			    strerror(-ret));
	ret = pinreg_plan(domain, memory->addr, memory->length, &opts, &answer->plan);
	if (ret)
		return fail(failure, STATUS_REFUSED, -ret, "cannot make a plan: %s",
			    strerror(-ret));
	if (!options->register_it)
		return STATUS_GOOD;
	return outcome_make(domain, memory, &opts, &answer->plan, &answer->outcome, failure);
}

static enum status status_of(const struct plan_answer *answer)
{
	if (!answer->options->register_it)
		return STATUS_GOOD;
	if (answer->outcome.differs[0])
		return STATUS_DIFFERS;
	return answer->outcome.error ? STATUS_REFUSED : STATUS_GOOD;
}

static enum status answer_on(struct pinreg_domain *domain, struct plan_answer *answer,
			     struct failure *failure, bool json)
{
	enum status status = ask(domain, answer, failure);

	if (!status) {
		if (json)
			plan_print_json(answer);
		else
			plan_print_text(answer);
		failure->text[0] = '\0'; /* whatever the status, it is in the answer */
		status = status_of(answer);
	}
	pinreg_backing_free(answer->backing);
	return status;
}

static enum status run(int argc, char **argv, struct failure *failure, bool json)
{
	struct plan_options options = { 0 };
	struct plan_answer answer = { .options = &options,
				      .info.size = sizeof(answer.info),
				      .plan.size = sizeof(answer.plan) };
	struct device device;
	enum status status = options_read(command_plan.options, argc, argv, &options, failure);

	if (!status)
		status = check_options(&options, failure);
	if (!status)
		status = memory_make(&options.memory, options.access == PLAN_ACCESS_RO,
				     &answer.memory, failure);
	if (status)
		return status;
	status = device_open(&options.device, &device, failure);
	if (!status) {
		status = answer_on(device.domain, &answer, failure, json);
		device_close(&device);
	}
	memory_free(&answer.memory);
	return status;
}

#define FIELD(name) offsetof(struct plan_options, name)

static const struct option options[] = {
	{ "file", OPTION_TEXT, FIELD(memory.file), "PATH",
	  "map this file or DAX device, as it is" },
	{ "offset", OPTION_OFFSET, FIELD(memory.offset), "N", "from this byte (default: 0)" },
	{ "length", OPTION_SIZE, FIELD(memory.length), "SIZE",
	  "so many bytes (default: to its end)" },
	{ "private", OPTION_FLAG, FIELD(memory.private), NULL, "map it MAP_PRIVATE" },
	{ "anon", OPTION_SIZE, FIELD(memory.anon), "SIZE", "make anonymous memory" },
	{ "hugetlb", OPTION_SIZE, FIELD(memory.hugetlb), "SIZE", "make memory of huge pages" },
	{ "memfd", OPTION_SIZE, FIELD(memory.memfd), "SIZE", "make a memfd" },
	{ "access", OPTION_CHOICE, FIELD(access), PLAN_ACCESSES,
	  "peers read and write, or only read (rw)" },
	{ "granularity", OPTION_CHOICE, FIELD(granularity), "byte|page",
	  "what transfers keep to (byte)" },
	{ "method", OPTION_CHOICE, FIELD(method), "auto|pin|odp|staged", "insist on one (auto)" },
	{ "budget", OPTION_SIZE, FIELD(device.budget), "SIZE", "the pin budget (default: none)" },
	{ "register", OPTION_FLAG, FIELD(register_it), NULL,
	  "register it too, and compare with the plan" },
	{ "device", OPTION_TEXT, FIELD(device.name), "NAME",
	  "the RDMA device (default: the first)" },
	{ "port", OPTION_PORT, FIELD(device.port), "N", "the port (default: 1)" },
	{ "json", OPTION_FLAG, FIELD(json), NULL, "print JSON, as docs/plan.md says" },
	{ 0 },
};

const struct command command_plan = {
	.name = "plan",
	.summary = "Makes or maps memory, and says how it would be registered and why.\n"
		   "SIZE is a number of bytes, or one with K, M or G. A file is mapped\n"
		   "shared, writable unless --access ro, and neither prepared nor leased.",
	.synopsis = "(--file PATH [--offset N] [--length SIZE] [--private] |\n"
		    "         --anon SIZE | --hugetlb SIZE | --memfd SIZE) [--access rw|ro]\n"
		    "         [--granularity byte|page] [--method auto|pin|odp|staged]\n"
		    "         [--budget SIZE] [--register] [--device NAME] [--port N] [--json]",
	.example = "  pinreg plan --file /pmem/ext4/data --granularity page --register",
	.options = options,
	.run = run,
};
