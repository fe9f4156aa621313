/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmem.c -- FILE: the leased mapping, its two regions, and who may touch it.
 */
#include "pmem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

/*
 * The fence does not wait for us for ever: a thread that the scheduler keeps
 * away between two instructions of a copy can find the memory gone. So SIGBUS
 * inside of a copy ends the copy, and anywhere else ends the process as usual.
 */
static _Thread_local sigjmp_buf landing;
static _Thread_local volatile sig_atomic_t in_copy;

static void on_sigbus(int number)
{
	if (in_copy)
		siglongjmp(landing, 1);
	signal(number, SIG_DFL); /* the access is made again, and ends us */
}

static void catch_sigbus(void)
{
	struct sigaction action = { .sa_handler = on_sigbus, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
}

static bool guarded_copy(void *to, const void *from, size_t length)
{
	if (sigsetjmp(landing, 0)) {
		in_copy = 0;
		return false;
	}
	in_copy = 1;
	memcpy(to, from, length);
	in_copy = 0;
	return true;
}

static bool guarded_word(uint64_t *to, uint64_t value)
{
	if (sigsetjmp(landing, 0)) {
		in_copy = 0;
		return false;
	}
	in_copy = 1;
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
	in_copy = 0;
	return true;
}

static bool enter(struct pmem *pmem)
{
	bool admitted;

	pthread_mutex_lock(&pmem->lock);
	admitted = pmem->gate != PMEM_SHUT;
	pmem->users += admitted;
	pthread_mutex_unlock(&pmem->lock);
	return admitted;
}

static void leave(struct pmem *pmem)
{
	pthread_mutex_lock(&pmem->lock);
	if (--pmem->users == 0)
		pthread_cond_broadcast(&pmem->idle);
	pthread_mutex_unlock(&pmem->lock);
}

/* A piece that peers wrote into, or that was stored here and peers shall see. */
static int settle_piece(struct pmem *pmem, uint64_t offset, uint64_t length, bool stored)
{
	uint64_t border = pmem->layout.data_offset;
	struct pinreg_region *region = offset < border ? pmem->head : pmem->data;
	uint64_t within = offset < border ? offset : offset - border;
	int ret = 0;

	/* first: of the data a commit takes what peers can reach */
	if (stored)
		ret = pinreg_region_refresh(region, within, length);
	if (ret == 0)
		ret = pinreg_region_commit(region, within, length);
	return ret == -ESTALE ? -EAGAIN : ret; /* lost: the LOST event ends the server */
}

int pmem_arrived(struct pmem *pmem, uint64_t offset, uint64_t length)
{
	while (length > 0) {
		uint64_t now = length < PMEM_PIECE ? length : PMEM_PIECE;
		int ret = -EAGAIN;

		if (enter(pmem)) {
			ret = settle_piece(pmem, offset, now, false);
			leave(pmem);
		}
		if (ret)
			return ret;
		offset += now;
		length -= now;
	}
	return 0;
}

int pmem_read(struct pmem *pmem, uint64_t offset, void *to, size_t length)
{
	for (size_t done = 0; done < length;) {
		size_t now = length - done < PMEM_PIECE ? length - done : PMEM_PIECE;
		bool ok = enter(pmem);

		if (ok) {
			ok = guarded_copy((char *)to + done, pmem->base + offset + done, now);
			leave(pmem);
		}
		if (!ok)
			return -EAGAIN;
		done += now;
	}
	return 0;
}

int pmem_write(struct pmem *pmem, uint64_t offset, const void *from, size_t length)
{
	for (size_t done = 0; done < length;) {
		size_t now = length - done < PMEM_PIECE ? length - done : PMEM_PIECE;
		int ret = -EAGAIN;

		if (enter(pmem)) {
			if (guarded_copy(pmem->base + offset + done, (const char *)from + done,
					 now))
				ret = settle_piece(pmem, offset + done, now, true);
			leave(pmem);
		}
		if (ret)
			return ret;
		done += now;
	}
	return 0;
}

int pmem_word(struct pmem *pmem, uint64_t offset, uint64_t value)
{
	int ret = -EAGAIN;

	if (enter(pmem)) {
		if (guarded_word((uint64_t *)(void *)(pmem->base + offset), htole64(value)))
			ret = settle_piece(pmem, offset, sizeof(value), true);
		leave(pmem);
	}
	return ret;
}

void pmem_shut(struct pmem *pmem)
{
	pthread_mutex_lock(&pmem->lock);
	pmem->gate = PMEM_SHUT;
	while (pmem->users > 0)
		pthread_cond_wait(&pmem->idle, &pmem->lock);
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
	pthread_cond_init(&pmem->idle, NULL);
	catch_sigbus();
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
	pthread_cond_destroy(&pmem->idle);
	pthread_mutex_destroy(&pmem->lock);
	return ret;
}
