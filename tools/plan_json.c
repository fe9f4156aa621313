/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan_json.c -- the answer of pinreg plan, as docs/plan.md says.
 */
#include <stdio.h>

#include "document.h"
#include "limits.h"
#include "plan.h"

static void add_granularity(struct json_object *in, unsigned int granularity)
{
	doc_text(in, "granularity", granularity == PINREG_GRANULARITY_PAGE ? "page" : "byte");
}

static void add_request(struct json_object *document, const struct plan_answer *answer)
{
	const struct plan_options *options = answer->options;
	const struct memory *memory = &answer->memory;
	struct json_object *request = doc_child(document, "request");

	doc_text(request, "source", memory->source);
	doc_text(request, "path", options->memory.file);
	doc_number(request, "offset", options->memory.offset);
	doc_bool(request, "private", options->memory.private);
	doc_address(request, "addr", (uint64_t)(uintptr_t)memory->addr);
	doc_number(request, "length", memory->length);
	doc_text(request, "access", options->access == PLAN_ACCESS_RO ? "ro" : "rw");
	add_granularity(request, options->granularity);
	doc_text(request, "method", pinreg_method_name((enum pinreg_method)options->method));
}

/* The reason and the numbers behind it: of a plan and of an outcome. */
static void add_why(struct json_object *in, const struct pinreg_why *why)
{
	struct json_object *numbers;
	bool no_kind = why->kind == PINREG_KIND_NONE;

	doc_text(in, "reason", pinreg_reason_name(why->reason));
	doc_errno(in, "errno", why->error);
	numbers = doc_child(in, "why");
	doc_text(numbers, "kind", no_kind ? NULL : pinreg_kind_name(why->kind));
	doc_address(numbers, "addr", why->addr);
	doc_number(numbers, "length", why->length);
	doc_number(numbers, "wanted", why->wanted);
	doc_number(numbers, "used", why->used);
	doc_limit(numbers, "limit", why->limit);
	doc_number(numbers, "mtu", why->mtu);
	doc_number(numbers, "wrong", why->wrong);
	doc_text(numbers, "step", why->step[0] ? why->step : NULL);
	doc_errno(numbers, "os_errno", why->os_error);
}

static void add_warnings(struct json_object *plan, unsigned int warnings)
{
	struct json_object *list = doc_list(plan, "warnings");

	for (; warnings; warnings &= warnings - 1)
		doc_element_text(list, pinreg_warning_name(warnings & -warnings));
}

static void add_plan(struct json_object *document, const struct pinreg_plan *from)
{
	struct json_object *plan = doc_child(document, "plan");
	char sentence[512];

	pinreg_plan_describe(from, sentence, sizeof(sentence));
	doc_text(plan, "sentence", sentence);
	doc_text(plan, "method", pinreg_method_name(from->method));
	add_why(plan, &from->why);
	doc_words(plan, "access", words_access, from->access);
	add_granularity(plan, from->granularity);
	doc_text(plan, "odp_trust", pinreg_trust_name(from->odp_trust));
	add_warnings(plan, from->warnings);
	if (from->iova)
		doc_address(plan, "iova", from->iova);
	else
		doc_null(plan, "iova");
	doc_number(plan, "pin_bytes", from->pin_bytes);
}

static void add_run(struct json_object *list, const struct pinreg_run *from)
{
	struct json_object *run = doc_element(list);
	char device[32];

	doc_text(run, "kind", pinreg_kind_name(from->kind));
	doc_address(run, "addr", from->addr);
	doc_number(run, "length", from->length);
	doc_bool(run, "readable", from->prot & PINREG_PROT_READ);
	doc_bool(run, "writable", from->prot & PINREG_PROT_WRITE);
	doc_bool(run, "shared", from->flags & PINREG_RUN_SHARED);
	doc_number(run, "page_size", from->page_size);
	doc_number(run, "file_offset", from->file_offset);
	doc_number(run, "file_size", from->file_size);
	doc_number(run, "inode", from->inode);
	snprintf(device, sizeof(device), "%u:%u", from->dev_major, from->dev_minor);
	doc_text(run, "device", device);
}

static void add_backing(struct json_object *document, const struct pinreg_backing *backing)
{
	struct json_object *list = doc_list(document, "backing");
	size_t count = pinreg_backing_count(backing);

	for (size_t i = 0; i < count; i++) {
		struct pinreg_run run = { .size = sizeof(run) };

		if (!pinreg_backing_get(backing, i, &run))
			add_run(list, &run);
	}
}

static void add_region(struct json_object *outcome, const struct outcome *from)
{
	struct json_object *region = doc_child(outcome, "region");

	doc_text(region, "method", pinreg_method_name(from->info.method));
	doc_words(region, "access", words_access, from->info.access);
	add_granularity(region, from->info.granularity);
	doc_number(region, "lkey", from->keys.lkey);
	doc_number(region, "rkey", from->keys.rkey);
	doc_address(region, "addr", from->keys.addr);
	doc_number(region, "length", from->keys.length);
	doc_number(region, "generation", from->keys.generation);
	doc_number(region, "pinned", from->pinned);
}

static void add_outcome(struct json_object *document, const struct outcome *from)
{
	struct json_object *outcome = doc_child(document, "outcome");
	struct json_object *differs;
	char sentence[512];

	pinreg_why_describe(&from->why, sentence, sizeof(sentence));
	doc_text(outcome, "sentence", sentence);
	doc_bool(outcome, "registered", !from->error);
	doc_bool(outcome, "agrees", !from->differs[0]);
	differs = doc_list(outcome, "differs");
	for (const char *const *what = from->differs; *what; what++)
		doc_element_text(differs, *what);
	add_why(outcome, &from->why);
	doc_milliseconds(outcome, "time_ms", from->milliseconds);
	if (from->error)
		doc_null(outcome, "region");
	else
		add_region(outcome, from);
}

void plan_print_json(const struct plan_answer *answer)
{
	struct json_object *document = doc_new(command_plan.name);

	device_json(document, &answer->info);
	add_request(document, answer);
	add_plan(document, &answer->plan);
	add_backing(document, answer->backing);
	limits_json(document, &answer->info);
	if (answer->options->register_it)
		add_outcome(document, &answer->outcome);
	else
		doc_null(document, "outcome");
	doc_print(document);
}
