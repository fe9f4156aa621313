/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps.c -- pinreg caps: what the device says of itself, and what the test found.
 */
#include "caps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <pinreg/pinreg.h>

#include "device.h"
#include "document.h"
#include "limits.h"
#include "text.h"
#include "words.h"

struct caps_options {
	struct device_options device;
	bool no_test;
	bool json;
};

struct caps {
	struct pinreg_domain_info info;
	struct pinreg_trust_report test;
	bool tested;	/* test holds numbers */
	int test_error; /* 0, or the -errno that kept the test from running */
};

static enum status query(struct pinreg_domain *domain, bool no_test, struct caps *out,
			 struct failure *failure)
{
	int ret;

	*out = (struct caps){ .info.size = sizeof(out->info), .test.size = sizeof(out->test) };
	if (!no_test) {
		out->test_error = pinreg_domain_test_odp(domain, &out->test);
		/* a device without on-demand paging is not tested */
		out->tested = !out->test_error && out->test.cases;
	}
	ret = pinreg_domain_query(domain, &out->info); /* after the test: it knows the trust */
	if (ret)
		return fail(failure, STATUS_REFUSED, -ret, "cannot query the device: %s",
			    strerror(-ret));
	return STATUS_GOOD;
}

static void print_test(const struct caps *caps)
{
	const struct pinreg_trust_report *test = &caps->test;
	enum pinreg_trust trust = caps->info.odp_trust;
	enum text_colour colour = trust == PINREG_TRUST_FULL   ? TEXT_GOOD
				  : trust == PINREG_TRUST_NONE ? TEXT_BAD
							       : TEXT_CAUTION;

	text_field("ODP trust", colour, "%s", pinreg_trust_name(trust));
	if (caps->test_error)
		text_field("", TEXT_BAD, "the data test could not be run: %s",
			   strerror(-caps->test_error));
	if (!caps->tested)
		return;
	text_field("", TEXT_PLAIN, "%u of %u transfers wrong at MTU %u", test->cases_wrong,
		   test->cases, test->mtu);
	text_field("", TEXT_PLAIN, "%" PRIu64 " of %" PRIu64 " bytes wrong", test->bytes_wrong,
		   test->bytes);
	if (test->cases_wrong)
		text_field("", TEXT_PLAIN,
			   "first wrong: %" PRIu64 " bytes at offset %" PRIu64 " of a page",
			   test->first_wrong_length, test->first_wrong_offset);
	if (test->atomics)
		text_field("", TEXT_PLAIN, "%u of %u atomic operations wrong", test->atomics_wrong,
			   test->atomics);
}

static void print_text(const struct caps *caps)
{
	const struct pinreg_domain_info *info = &caps->info;
	char words[160];

	device_text(info);
	text_field("ODP", TEXT_PLAIN, "%s%s", info->odp & IBV_ODP_SUPPORT ? "yes" : "no",
		   info->odp & IBV_ODP_SUPPORT_IMPLICIT ? ", implicit too" : "");
	words_join(words_operation, info->odp_rc, words, sizeof(words));
	text_field("ODP on RC", TEXT_PLAIN, "%s", words);
	words_join(words_operation, info->odp_ud, words, sizeof(words));
	text_field("ODP on UD", TEXT_PLAIN, "%s", words);
	print_test(caps);
	text_field("flush", TEXT_PLAIN, "%s%s%s", info->flush_global ? "global" : "",
		   info->flush_persistent ? " persistent" : "",
		   info->flush_global || info->flush_persistent ? "" : "none");
	words_join(words_window, info->memory_windows, words, sizeof(words));
	text_field("windows", TEXT_PLAIN, "%s", words);
	limits_text(info);
}

static void add_test(struct json_object *odp, const struct caps *caps)
{
	const struct pinreg_trust_report *report = &caps->test;
	struct json_object *test;

	if (!caps->tested) {
		doc_null(odp, "test");
		return;
	}
	test = doc_child(odp, "test");
	doc_number(test, "mtu", report->mtu);
	doc_number(test, "cases", report->cases);
	doc_number(test, "cases_wrong", report->cases_wrong);
	doc_number(test, "bytes", report->bytes);
	doc_number(test, "bytes_wrong", report->bytes_wrong);
	doc_number(test, "first_wrong_offset", report->first_wrong_offset);
	doc_number(test, "first_wrong_length", report->first_wrong_length);
	doc_number(test, "atomics", report->atomics);
	doc_number(test, "atomics_wrong", report->atomics_wrong);
}

static void print_json(const struct caps *caps)
{
	const struct pinreg_domain_info *info = &caps->info;
	struct json_object *document = doc_new(command_caps.name);
	struct json_object *odp, *flush;

	device_json(document, info);
	odp = doc_child(document, "odp");
	doc_bool(odp, "supported", info->odp & IBV_ODP_SUPPORT);
	doc_bool(odp, "implicit", info->odp & IBV_ODP_SUPPORT_IMPLICIT);
	doc_words(odp, "rc", words_operation, info->odp_rc);
	doc_words(odp, "ud", words_operation, info->odp_ud);
	doc_text(odp, "trust", pinreg_trust_name(info->odp_trust));
	add_test(odp, caps);
	doc_errno(odp, "test_error", caps->test_error);
	flush = doc_child(document, "flush");
	doc_bool(flush, "global", info->flush_global);
	doc_bool(flush, "persistent", info->flush_persistent);
	doc_words(document, "memory_windows", words_window, info->memory_windows);
	limits_json(document, info);
	doc_print(document);
}

static enum status run(int argc, char **argv, struct failure *failure, bool json)
{
	struct caps_options options = { 0 };
	struct device device;
	struct caps caps;
	enum status status = options_read(command_caps.options, argc, argv, &options, failure);

	if (!status)
		status = device_open(&options.device, &device, failure);
	if (status)
		return status;
	status = query(device.domain, options.no_test, &caps, failure);
	device_close(&device);
	if (status)
		return status;
	if (json)
		print_json(&caps);
	else
		print_text(&caps);
	if (caps.test_error) {
		failure->text[0] = '\0'; /* it is in the answer */
		return STATUS_DIFFERS;
	}
	return STATUS_GOOD;
}

static const struct option options[] = {
	{ "device", OPTION_TEXT, offsetof(struct caps_options, device.name), "NAME",
	  "the RDMA device (default: the first)" },
	{ "port", OPTION_PORT, offsetof(struct caps_options, device.port), "N",
	  "the port (default: 1)" },
	{ "no-test", OPTION_FLAG, offsetof(struct caps_options, no_test), NULL,
	  "do not test on-demand paging with data" },
	{ "json", OPTION_FLAG, offsetof(struct caps_options, json), NULL,
	  "print JSON, as docs/plan.md says" },
	{ 0 },
};

const struct command command_caps = {
	.name = "caps",
	.summary = "Shows what an RDMA device says it can do, and tests on-demand paging (ODP)\n"
		   "with real data on a loop-back connection of the port.",
	.synopsis = "[--device NAME] [--port N] [--no-test] [--json]",
	.example = "  pinreg caps --device rxe0",
	.options = options,
	.run = run,
};
