/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * register.c -- register memory, print what was decided, and be refused once.
 *
 * Usage: 01-register [DEVICE]
 * Exit status: 0 when one range was registered and the other refused as it
 * should be, 1 when not, 2 usage, 3 when there is no RDMA device.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pinreg/pinreg.h>

static struct ibv_context *open_device(const char *name)
{
	struct ibv_context *context = NULL;
	struct ibv_device **list = ibv_get_device_list(NULL);

	for (struct ibv_device **d = list; d && *d && !context; d++) {
		if (!name || strcmp(ibv_get_device_name(*d), name) == 0)
			context = ibv_open_device(*d);
	}
	if (list)
		ibv_free_device_list(list);
	return context;
}

/* What the library would do with the range: nothing is changed by asking. */
static void print_plan(struct pinreg_domain *domain, const void *addr, size_t length)
{
	struct pinreg_plan plan = { .size = sizeof(plan) };
	char sentence[512];
	int ret = pinreg_plan(domain, addr, length, NULL, &plan);

	if (ret) {
		printf("  no plan: %s\n", strerror(-ret));
		return;
	}
	pinreg_plan_describe(&plan, sentence, sizeof(sentence));
	printf("  plan: %s\n", sentence);
}

static int register_memory(struct pinreg_domain *domain, void *addr, size_t length)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_region *region;
	struct pinreg_why why;
	char sentence[512];
	int ret;

	printf("anonymous memory, %zu bytes\n", length);
	print_plan(domain, addr, length);
	ret = pinreg_region_register(domain, addr, length, NULL, &why, &region);
	if (ret) {
		pinreg_why_describe(&why, sentence, sizeof(sentence));
		printf("  refused: %s\n", sentence);
		return ret;
	}
	ret = pinreg_region_query(region, &info);
	if (ret == 0)
		ret = pinreg_region_keys(region, &keys);
	if (ret == 0)
		printf("  method %s, lkey 0x%x, rkey 0x%x, generation %llu\n",
		       pinreg_method_name(info.method), keys.lkey, keys.rkey,
		       (unsigned long long)keys.generation);
	else
		printf("  no keys: %s\n", strerror(-ret));

	int gone = pinreg_region_deregister(region);

	return ret ? ret : gone;
}

/* Return: 0 when the refusal is the right one. */
static int be_refused(struct pinreg_domain *domain, char *addr, size_t length)
{
	struct pinreg_region *region;
	struct pinreg_why why;
	char sentence[512];
	int ret;

	printf("the same memory with a hole in it\n");
	print_plan(domain, addr, length);
	ret = pinreg_region_register(domain, addr, length, NULL, &why, &region);
	if (ret == 0) {
		printf("  registered, which is wrong\n");
		pinreg_region_deregister(region);
		return -1;
	}
	pinreg_why_describe(&why, sentence, sizeof(sentence));
	printf("  refused (%s, %s): %s\n", strerror(-ret), pinreg_reason_name(why.reason),
	       sentence);
	return why.reason == PINREG_REASON_HOLE ? 0 : -1;
}

static int run(struct ibv_pd *pd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t length = 16 * page;
	struct pinreg_domain *domain;
	int ret = pinreg_domain_open(pd, NULL, &domain);

	if (ret) {
		fprintf(stderr, "cannot open a domain: %s\n", strerror(-ret));
		return 1;
	}

	char *addr = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED) {
		perror("mmap");
		ret = 1;
	} else {
		ret = register_memory(domain, addr, length) ? 1 : 0;
		munmap(addr + 4 * page, page);
		ret |= be_refused(domain, addr, length) ? 1 : 0;
		munmap(addr, length);
	}
	if (pinreg_domain_close(domain))
		ret = 1;
	return ret;
}

int main(int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr, "usage: %s [DEVICE]\n", argv[0]);
		return 2;
	}

	struct ibv_context *context = open_device(argc == 2 ? argv[1] : NULL);

	if (!context) {
		fprintf(stderr, "no RDMA device%s%s\n", argc == 2 ? " named " : "",
			argc == 2 ? argv[1] : "");
		return 3;
	}
	printf("device %s\n", ibv_get_device_name(context->device));

	struct ibv_pd *pd = ibv_alloc_pd(context);
	int ret = pd ? run(pd) : 1;

	if (!pd)
		perror("ibv_alloc_pd");
	else
		ibv_dealloc_pd(pd);
	ibv_close_device(context);
	return ret;
}
