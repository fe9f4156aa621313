/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan_text.c -- the answer of pinreg plan, for a human.
 */
#include <inttypes.h>
#include <stdio.h>

#include "limits.h"
#include "plan.h"
#include "size.h"
#include "text.h"

#define SENTENCE 512

static const char *access_word(const struct plan_options *options)
{
	return options->access == PLAN_ACCESS_RO ? "read only" : "read and write";
}

static const char *granularity_word(enum pinreg_granularity granularity)
{
	return granularity == PINREG_GRANULARITY_PAGE ? "page" : "byte";
}

static enum text_colour method_colour(enum pinreg_method method)
{
	switch (method) {
	case PINREG_METHOD_REFUSE:
		return TEXT_BAD;
	case PINREG_METHOD_STAGED:
		return TEXT_CAUTION;
	default:
		return TEXT_GOOD;
	}
}

static void print_memory(const struct plan_answer *answer)
{
	const struct memory *memory = &answer->memory;
	const struct memory_request *request = &answer->options->memory;

	text_field("memory", TEXT_PLAIN, "%s%s%s", memory->source, request->file ? " " : "",
		   request->file ? request->file : "");
	text_field("", TEXT_PLAIN, "%s at 0x%" PRIx64, size_write(memory->length).text,
		   (uint64_t)(uintptr_t)memory->addr);
	text_field("asked for", TEXT_PLAIN, "peers %s, %s granularity, method %s",
		   access_word(answer->options),
		   granularity_word((enum pinreg_granularity)answer->options->granularity),
		   pinreg_method_name((enum pinreg_method)answer->options->method));
}

static void print_plan(const struct pinreg_plan *plan)
{
	char sentence[SENTENCE];
	char words[160];

	pinreg_why_describe(&plan->why, sentence, sizeof(sentence));
	text_field("plan", method_colour(plan->method), "%s", pinreg_method_name(plan->method));
	text_field("reason", TEXT_PLAIN, "%s", pinreg_reason_name(plan->why.reason));
	text_field("", TEXT_PLAIN, "%s", sentence);
	if (plan->method == PINREG_METHOD_REFUSE)
		return;
	words_join(words_access, plan->access, words, sizeof(words));
	text_field("access", TEXT_PLAIN, "%s", words);
	text_field("granularity", TEXT_PLAIN, "%s", granularity_word(plan->granularity));
	text_field("pins", TEXT_PLAIN, "%s", size_write(plan->pin_bytes).text);
	for (unsigned int bits = plan->warnings; bits; bits &= bits - 1) {
		unsigned int bit = bits & -bits;

		text_field(bits == plan->warnings ? "warnings" : "", TEXT_CAUTION, "%s: %s",
			   pinreg_warning_name(bit), words_warning(bit));
	}
}

/* "4K", "2M": for a column. */
static struct size_text page_size(unsigned int size)
{
	struct size_text out;

	if (size % (1u << 20) == 0 && size)
		snprintf(out.text, sizeof(out.text), "%uM", size >> 20);
	else
		snprintf(out.text, sizeof(out.text), "%uK", size >> 10);
	return out;
}

static void print_run(const struct pinreg_run *run)
{
	char range[48];
	char offset[32] = "-";

	snprintf(range, sizeof(range), "0x%" PRIx64 "-0x%" PRIx64, run->addr,
		 run->addr + run->length);
	if (run->inode)
		snprintf(offset, sizeof(offset), "%" PRIu64, run->file_offset);
	printf("  %-13s%-30s %s%s   %-8s%-5s%s\n", pinreg_kind_name(run->kind), range,
	       run->prot & PINREG_PROT_READ ? "r" : "-", run->prot & PINREG_PROT_WRITE ? "w" : "-",
	       run->flags & PINREG_RUN_SHARED ? "shared" : "private",
	       page_size(run->page_size).text, offset);
}

static void print_backing(const struct pinreg_backing *backing)
{
	size_t count = pinreg_backing_count(backing);

	printf("backing\n  %-13s%-30s %s %-8s%-5s%s\n", "kind", "addresses", "prot", "mapping",
	       "page", "file offset");
	for (size_t i = 0; i < count; i++) {
		struct pinreg_run run = { .size = sizeof(run) };

		if (!pinreg_backing_get(backing, i, &run))
			print_run(&run);
	}
}

static void print_outcome(const struct outcome *outcome)
{
	char sentence[SENTENCE];

	if (outcome->error) {
		pinreg_why_describe(&outcome->why, sentence, sizeof(sentence));
		text_field("registering", TEXT_BAD, "refused (%s)",
			   pinreg_reason_name(outcome->why.reason));
		text_field("", TEXT_PLAIN, "%s", sentence);
	} else {
		text_field("registering", method_colour(outcome->info.method), "%s (%s), %.3f ms",
			   pinreg_method_name(outcome->info.method),
			   pinreg_reason_name(outcome->why.reason), outcome->milliseconds);
		text_field("", TEXT_PLAIN, "lkey 0x%x, rkey 0x%x, address 0x%" PRIx64,
			   outcome->keys.lkey, outcome->keys.rkey, outcome->keys.addr);
		text_field("", TEXT_PLAIN, "%s pinned", size_write(outcome->pinned).text);
	}
	if (!outcome->differs[0])
		text_field("", TEXT_GOOD, "as planned");
	for (const char *const *differs = outcome->differs; *differs; differs++)
		text_field("", TEXT_BAD, "NOT AS PLANNED: %s", *differs);
}

void plan_print_text(const struct plan_answer *answer)
{
	device_text(&answer->info);
	print_memory(answer);
	print_plan(&answer->plan);
	print_backing(answer->backing);
	limits_text(&answer->info);
	if (answer->options->register_it)
		print_outcome(&answer->outcome);
}
