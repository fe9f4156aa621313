/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmem.c -- FILE: the leased mapping, its two regions, and who may touch it.
 */
#include "pmem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

/* One access under way: it is inside of the region that the fence waits for. */
struct access {
	struct pinreg_region *region;
	uint64_t within; /* offset in the region */
	struct pinreg_keys keys;
};

static bool enter(struct pmem *pmem, uint64_t offset, struct access *access)
{
	uint64_t border = pmem->layout.data_offset;
	bool head = offset < border;

	if (pmem_look(pmem).gate == PMEM_SHUT)
		return false;
	*access = (struct access){ .region = head ? pmem->head : pmem->data,
				   .within = head ? offset : offset - border,
				   .keys = { .size = sizeof(access->keys) } };
	return pinreg_region_enter(access->region, &access->keys) == 0;
}

/*
 * The fence does not wait for us for ever. A thread that the scheduler keeps away in
 * the middle of a copy finds memory of nobody in the place of the file: what it read
 * or stored there counts for nothing. That is so unless the keys are still the same.
 */
static bool leave(struct access *access)
{
	struct pinreg_keys now = { .size = sizeof(now) };
	bool whole = pinreg_region_keys(access->region, &now) == 0 &&
		     now.generation == access->keys.generation;

	pinreg_region_exit(access->region);
	return whole;
}

/* A piece that peers wrote into, or that was stored here and peers shall see. */
static int settle_piece(const struct access *access, uint64_t length, bool stored)
{
	int ret = 0;

	/* first: of the data a commit takes what peers can reach */
	if (stored)
		ret = pinreg_region_refresh(access->region, access->within, length);
	if (ret == 0)
		ret = pinreg_region_commit(access->region, access->within, length);
	return ret == -ESTALE ? -EAGAIN : ret; /* lost: the LOST event ends the server */
}

static int end_settled(struct access *access, uint64_t length, bool stored)
{
	int ret = settle_piece(access, length, stored);

	return leave(access) || ret ? ret : -EAGAIN;
}

int pmem_arrived(struct pmem *pmem, uint64_t offset, uint64_t length)
{
	for (uint64_t done = 0; done < length;) {
		uint64_t now = length - done < PMEM_PIECE ? length - done : PMEM_PIECE;
		struct access access;
		int ret = -EAGAIN;

		if (enter(pmem, offset + done, &access))
			ret = end_settled(&access, now, false);
		if (ret)
			return ret;
		done += now;
	}
	return 0;
}

int pmem_read(struct pmem *pmem, uint64_t offset, void *to, size_t length)
{
	for (size_t done = 0; done < length;) {
		size_t now = length - done < PMEM_PIECE ? length - done : PMEM_PIECE;
		struct access access;

		if (!enter(pmem, offset + done, &access))
			return -EAGAIN;
		memcpy((char *)to + done, pmem->base + offset + done, now);
		if (!leave(&access))
			return -EAGAIN;
		done += now;
	}
	return 0;
}

int pmem_write(struct pmem *pmem, uint64_t offset, const void *from, size_t length)
{
	for (size_t done = 0; done < length;) {
		size_t now = length - done < PMEM_PIECE ? length - done : PMEM_PIECE;
		struct access access;
		int ret;

		if (!enter(pmem, offset + done, &access))
			return -EAGAIN;
		memcpy(pmem->base + offset + done, (const char *)from + done, now);
		ret = end_settled(&access, now, true);
		if (ret)
			return ret;
		done += now;
	}
	return 0;
}

int pmem_word(struct pmem *pmem, uint64_t offset, uint64_t value)
{
	uint64_t *at = (uint64_t *)(void *)(pmem->base + offset);
	struct access access;

	if (!enter(pmem, offset, &access))
		return -EAGAIN;
	__atomic_store_n(at, htole64(value), __ATOMIC_RELEASE);
	return end_settled(&access, sizeof(value), true);
}

void pmem_shut(struct pmem *pmem)
{
	pthread_mutex_lock(&pmem->lock);
	pmem->gate = PMEM_SHUT;
	pthread_mutex_unlock(&pmem->lock);
}

static int take_keys(struct pmem *pmem)
{
	struct pinreg_descriptor head = { .size = sizeof(head) };
	struct pinreg_descriptor data = { .size = sizeof(data) };
	int ret = pinreg_region_describe(pmem->head, &head);

	if (ret == 0)
		ret = pinreg_region_describe(pmem->data, &data);
	if (ret)
		return ret;
	if (head.generation != data.generation)
		return -EAGAIN; /* away and back between the two calls */
	pmem->head_id = head.id;
	pmem->data_id = data.id;
	pthread_mutex_lock(&pmem->lock);
	pmem->generation = data.generation;
	pmem->rkey = data.rkey;
	pmem->gate = PMEM_CHECKING;
	pthread_mutex_unlock(&pmem->lock);
	return 0;
}

int pmem_back(struct pmem *pmem)
{
	return take_keys(pmem);
}

bool pmem_serve(struct pmem *pmem, uint64_t generation)
{
	bool ok;

	pthread_mutex_lock(&pmem->lock);
	ok = pmem->gate == PMEM_CHECKING && pmem->generation == generation;
	if (ok)
		pmem->gate = PMEM_SERVING;
	pthread_mutex_unlock(&pmem->lock);
	return ok;
}

struct pmem_view pmem_look(struct pmem *pmem)
{
	struct pmem_view view;

	pthread_mutex_lock(&pmem->lock);
	view = (struct pmem_view){ pmem->gate, pmem->generation, pmem->rkey };
	pthread_mutex_unlock(&pmem->lock);
	return view;
}

/* What was decided for the data, as the region itself tells. */
static int print_decision(struct pmem *pmem)
{
	struct pinreg_region_info info = { .size = sizeof(info) };
	char sentence[512];
	int ret = pinreg_region_query(pmem->data, &info);

	if (ret)
		return ret;
	pinreg_why_describe(&info.why, sentence, sizeof(sentence));
	say("plan: %s: %s", pinreg_method_name(info.method), sentence);
	/* paging was tested with packets of one size, and is right with those */
	if (info.method == PINREG_METHOD_ODP)
		pmem->needed_mtu = info.why.mtu;
	say("transfers: %s%s%s",
	    info.granularity == PINREG_GRANULARITY_PAGE ? "whole pages" : "any bytes",
	    info.method == PINREG_METHOD_STAGED ? ", copied home by commit" : "",
	    pmem->needed_mtu ? ", at the path MTU of the test only" : "");
	return 0;
}

/*
 * Peers may not write into the head: so a commit there never takes anything over
 * from them, and the index is what was stored here.
 */
static int register_parts(struct pmem *pmem, struct pinreg_why *why)
{
	struct pinreg_region_opts opts = { .size = sizeof(opts), .granularity = pmem->granularity };
	uint64_t border = pmem->layout.data_offset;
	int ret = pinreg_file_register(pmem->file, border, 0, &opts, why, &pmem->data);

	if (ret)
		return ret;
	opts.read_only = 1;
	ret = pinreg_file_register(pmem->file, 0, border, &opts, why, &pmem->head);
	return ret ? ret : print_decision(pmem);
}

static int open_file(struct pmem *pmem, struct pinreg_domain *domain, const char *path,
		     uint64_t size, struct pinreg_why *why)
{
	struct pinreg_file_opts opts = { .size = sizeof(opts), .length = size, .create = size > 0 };
	struct pinreg_file_info info = { .size = sizeof(info) };
	int ret = pinreg_file_open(domain, AT_FDCWD, path, &opts, why, &pmem->file);

	if (ret)
		return ret;
	ret = pinreg_file_query(pmem->file, &info);
	if (ret)
		return ret;
	if (info.length < FORMAT_MIN_SIZE) {
		*why = (struct pinreg_why){ .reason = PINREG_REASON_FILE_SIZE,
					    .error = -EINVAL,
					    .wanted = FORMAT_MIN_SIZE,
					    .length = info.length };
		return -EINVAL;
	}
	pmem->base = info.addr;
	format_layout(info.length, &pmem->layout);
	say("file: %s, %llu bytes, %llu extents, %llu bytes zeroed, %s", path,
	    (unsigned long long)info.length, (unsigned long long)info.extents,
	    (unsigned long long)info.zeroed,
	    info.map_sync ? "durable by CPU flushes (MAP_SYNC)" : "durable by msync");
	return 0;
}

int pmem_open(struct pmem *pmem, struct pinreg_domain *domain, const char *path, uint64_t size,
	      enum pinreg_granularity granularity, struct pinreg_why *why)
{
	struct stat before;
	int ret;

	*pmem = (struct pmem){ .gate = PMEM_SHUT, .granularity = granularity };
	pmem->created = lstat(path, &before) != 0 && errno == ENOENT;
	pthread_mutex_init(&pmem->lock, NULL);
	ret = open_file(pmem, domain, path, size, why);
	if (ret == 0)
		ret = register_parts(pmem, why);
	if (ret == 0)
		ret = take_keys(pmem);
	if (ret && pmem->file) {
		pmem_close(pmem);
		if (pmem->created)
			unlink(path); /* a refusal leaves nothing behind */
	}
	return ret;
}

int pmem_close(struct pmem *pmem)
{
	int ret;

	pmem_shut(pmem);
	ret = pinreg_region_deregister(pmem->head);
	if (ret == 0)
		ret = pinreg_region_deregister(pmem->data);
	if (ret == 0)
		ret = pinreg_file_close(pmem->file);
	pthread_mutex_destroy(&pmem->lock);
	return ret;
}
