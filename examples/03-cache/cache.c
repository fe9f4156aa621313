/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.c -- register for each operation, through a cache that remembers.
 *
 * Usage: 03-cache [DEVICE]
 * Exit status: 0 when every operation had a region of its memory and each was
 * remembered as it should be, 1 when not, 2 usage, 3 when there is no RDMA device.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <pinreg/pinreg.h>

#define LENGTH ((size_t)1 << 20)
#define PIECE ((size_t)1 << 16)

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

/*
 * What a program does for each transfer: get a region, post with its keys, wait for the
 * completion, put it back. It does not know whether the memory was registered already.
 */
static int operate(struct pinreg_cache *cache, void *addr, size_t length, unsigned int access,
		   uint32_t *lkey)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_region *region;
	struct pinreg_why why;
	char sentence[512];
	int ret = pinreg_cache_get(cache, addr, length, access, &keys, &why, &region);

	if (ret) {
		pinreg_why_describe(&why, sentence, sizeof(sentence));
		printf("  refused: %s\n", sentence);
		return ret;
	}
	/* here: ibv_post_send() with keys.lkey, and its completion */
	*lkey = keys.lkey;
	return pinreg_cache_put(cache, region);
}

static struct pinreg_cache_info report(struct pinreg_cache *cache, const char *what)
{
	struct pinreg_cache_info now = { .size = sizeof(now) };

	if (pinreg_cache_query(cache, &now) == 0)
		printf("%-28s %2" PRIu64 " hits, %" PRIu64 " misses, %" PRIu64
		       " given up; now %" PRIu64 " regions of %" PRIu64 " bytes\n",
		       what, now.hits, now.misses, now.invalidations, now.regions, now.bytes);
	return now;
}

static char *map(void *at)
{
	char *memory = mmap(at, LENGTH, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* One operation for each piece of the memory. */
static int operate_on_pieces(struct pinreg_cache *cache, char *memory, uint32_t *lkey)
{
	int ret = 0;

	for (size_t at = 0; at < LENGTH && ret == 0; at += PIECE)
		ret = operate(cache, memory + at, PIECE, IBV_ACCESS_LOCAL_WRITE, lkey);
	return ret;
}

/* Return: 0 when the cache remembered what it should and forgot what it should. */
static int run(struct pinreg_cache *cache)
{
	uint32_t lkey;
	char *memory = map(NULL);

	if (!memory || operate(cache, memory, LENGTH, IBV_ACCESS_LOCAL_WRITE, &lkey))
		return -1;
	report(cache, "all of it");
	if (operate_on_pieces(cache, memory, &lkey))
		return -1;

	struct pinreg_cache_info before = report(cache, "16 pieces of it");

	/* no word to the cache: the kernel tells it before munmap() returns */
	munmap(memory, LENGTH);
	if (!map(memory) || operate_on_pieces(cache, memory, &lkey))
		return -1;

	struct pinreg_cache_info after = report(cache, "mapped anew, 16 pieces");

	munmap(memory, LENGTH);
	if (before.monitor != PINREG_MONITOR_UFFD)
		return 0;
	return before.hits == LENGTH / PIECE && before.misses == 1 && after.invalidations > 0 &&
			       after.misses > 1
		       ? 0
		       : -1;
}

static void print_monitor(struct pinreg_cache *cache)
{
	struct pinreg_cache_info info = { .size = sizeof(info) };
	char sentence[512] = "";

	if (pinreg_cache_query(cache, &info))
		return;
	printf("monitor %s\n", pinreg_monitor_name(info.monitor));
	if (info.monitor == PINREG_MONITOR_UFFD)
		return;
	pinreg_why_describe(&info.why, sentence, sizeof(sentence));
	printf("  %s\n", sentence);
}

static int run_on(struct ibv_pd *pd)
{
	struct pinreg_domain *domain;
	struct pinreg_cache *cache;
	struct pinreg_why why;
	char sentence[512];
	int ret = pinreg_domain_open(pd, NULL, &domain);

	if (ret) {
		fprintf(stderr, "cannot open a domain: %s\n", strerror(-ret));
		return 1;
	}
	ret = pinreg_cache_open(domain, NULL, &why, &cache);
	if (ret) {
		pinreg_why_describe(&why, sentence, sizeof(sentence));
		fprintf(stderr, "cannot open a cache: %s\n", sentence);
	} else {
		print_monitor(cache);
		ret = run(cache) ? 1 : 0;
		if (pinreg_cache_close(cache))
			ret = 1;
	}
	if (pinreg_domain_close(domain))
		ret = 1;
	return ret ? 1 : 0;
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
	int ret = pd ? run_on(pd) : 1;

	if (!pd)
		perror("ibv_alloc_pd");
	else
		ibv_dealloc_pd(pd);
	ibv_close_device(context);
	return ret;
}
