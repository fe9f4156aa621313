/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle.c -- what a plan says of memory, held against what the kernel does.
 */
#include "support/oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/rdma.h"
#include "support/test.h"

static const unsigned int accesses[] = {
	[ORACLE_RW] = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
	[ORACLE_RO] = IBV_ACCESS_REMOTE_READ,
};

static struct {
	unsigned int compared, pinned, excepted, missing, wrong;
} counts;

/* One question. */
struct question {
	const char *name;
	const char *part;
	unsigned char *addr;
	size_t length;
	unsigned int access; /* ORACLE_RW or ORACLE_RO */
	bool exception;
};

static void complain(const struct question *question, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void complain(const struct question *question, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("WRONG: %s, %s, %s: ", question->name, question->part,
	       question->access == ORACLE_RW ? "rw" : "ro");
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	counts.wrong++;
}

int oracle_kernel(void *addr, size_t length, unsigned int access)
{
	errno = 0;
	struct ibv_mr *mr = ibv_reg_mr(rdma_pd(), addr, length, accesses[access]);
	if (!mr)
		return errno ? -errno : -EIO;
	test_ok(-ibv_dereg_mr(mr));
	return 0;
}

bool oracle_kernel_is(const char *kernels)
{
	const char *kernel = getenv("PINREG_KERNEL");
	char word[64];
	if (!kernels)
		return true;
	snprintf(word, sizeof(word), " %s ", kernel ? kernel : "unknown");
	return strstr(kernels, word);
}

static struct pinreg_plan plan_of(const struct question *question, enum pinreg_method method)
{
	struct pinreg_plan plan = { .size = sizeof(plan) };
	/* whether copies of a file are wanted is no question of what the kernel can do */
	const struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.access = accesses[question->access],
		.method = method,
		.allow_private_file = 1,
	};
	test_ok(pinreg_plan(rdma_domain(NULL), question->addr, question->length, &opts, &plan));
	return plan;
}

/* Without a wish for a method: is what is planned what is done? */
static void check_done(const struct question *question)
{
	struct pinreg_plan plan = plan_of(question, PINREG_METHOD_AUTO);
	const struct pinreg_region_opts opts = {
		.size = sizeof(opts),
		.access = accesses[question->access],
		.allow_private_file = 1,
	};
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_region *region;
	struct pinreg_why why;
	int status = pinreg_region_register(rdma_domain(NULL), question->addr, question->length,
					    &opts, &why, &region);
	if (!status) {
		test_ok(pinreg_region_query(region, &info));
		test_ok(pinreg_region_deregister(region));
	}
	bool good = status == plan.why.error && (status || info.method == plan.method);
	/* what the map does not show the kernel has to say, and the answer is passed on */
	if (question->exception && plan.method == PINREG_METHOD_PIN)
		good = status < 0 && why.reason == PINREG_REASON_VERBS && why.os_error == -status;
	if (!good)
		complain(question, "planned %s (%s), done %d %s: %s",
			 pinreg_method_name(plan.method), pinreg_reason_name(plan.why.reason),
			 status, pinreg_method_name(info.method), rdma_sentence(&why));
}

static void ask(const struct question *question)
{
	struct pinreg_plan plan = plan_of(question, PINREG_METHOD_PIN);
	bool planned = plan.method == PINREG_METHOD_PIN;
	int kernel = oracle_kernel(question->addr, question->length, question->access);
	counts.compared++;
	counts.pinned += !kernel;
	if (planned == !kernel && question->exception)
		complain(question, "an exception that is none: both say %s",
			 planned ? "yes" : "no");
	else if (planned != !kernel && !question->exception)
		complain(question, "planned %s (%s), kernel: %s", pinreg_method_name(plan.method),
			 rdma_sentence(&plan.why), kernel ? strerror(-kernel) : "pins");
	counts.excepted += question->exception;
	check_done(question);
}

static bool is_exception(const char *name, unsigned int access,
			 const struct oracle_exception *exceptions, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(exceptions[i].row, name) && exceptions[i].access & access &&
		    oracle_kernel_is(exceptions[i].kernels))
			return true;
	return false;
}

void oracle_memory(const char *name, const struct memory *memory,
		   const struct oracle_exception *exceptions, size_t count)
{
	for (unsigned int access = ORACLE_RW; access <= ORACLE_RO; access++) {
		bool exception = is_exception(name, access, exceptions, count);
		ask(&(struct question){ name, "whole", memory->addr, memory->length, access,
					exception });
		ask(&(struct question){ name, "odd", memory->addr + 1001, memory->length - 2003,
					access, exception });
	}
}

static void check_kind(const struct memory_row *row, const struct memory *memory)
{
	struct pinreg_backing *backing;
	struct pinreg_run run = { .size = sizeof(run) };
	test_ok(pinreg_backing_query(memory->addr, memory->length, &backing));
	test_ok(pinreg_backing_get(backing, 0, &run));
	pinreg_backing_free(backing);
	if (run.kind == row->kind)
		return;
	printf("WRONG: %s is %s\n", row->name, pinreg_kind_name(run.kind));
	counts.wrong++;
}

void oracle_rows(const struct memory_row *rows, size_t count,
		 const struct oracle_exception *exceptions, size_t exceptions_count)
{
	for (size_t i = 0; i < count; i++) {
		struct memory memory;
		if (!memory_open(&rows[i], &memory)) {
			printf("not here: %s: %s\n", rows[i].name, memory.missing);
			counts.missing++;
			continue;
		}
		check_kind(&rows[i], &memory);
		oracle_memory(rows[i].name, &memory, exceptions, exceptions_count);
		/* what is there of a file that is too short */
		if (rows[i].state & (MEMORY_SHORT | MEMORY_CUT)) {
			struct memory half = memory;
			half.length /= 2;
			oracle_memory("the file's part of it", &half, exceptions, exceptions_count);
		}
		memory_close(&memory);
	}
}

void oracle_end(void)
{
	printf("%u compared: %u the kernel pins, %u exceptions; %u kinds are not here\n",
	       counts.compared, counts.pinned, counts.excepted, counts.missing);
	if (counts.wrong)
		fail_msg("plan and kernel disagree %u times", counts.wrong);
}
