/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_breakers.c -- every breaker under every seal on every filesystem: what he
 * gets, what the owner hears, and what is in the file and behind its keys afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/breakers.h"
#include "support/host.h"
#include "support/rdma.h"
#include "support/spare.h"
#include "support/test.h"
#include "sys/sys.h"

#define PAGE 4096u
#define LENGTH (16u * PAGE)

/* Where it is tried. */
struct place {
	const char *directory;
	const char *spare; /* what is made there, or NULL */
	bool peers;	   /* also look through the eyes of a remote peer */
};

static const struct place dax_ext4 = { "/pmem/ext4", NULL, true };
static const struct place dax_xfs = { "/pmem/xfs", NULL, true };
static const struct place cache_xfs = { SPARE, "xfs -- dax=never", false };
static const struct place tmpfs = { SPARE, "tmpfs -- size=64m", true };

/* One row of the table in one place. */
struct row {
	const struct place *place;
	const struct breaker *breaker;
	enum pinreg_seal seal;
	enum breaker_outcome outcome;
	struct pinreg_file *file;
	struct pinreg_region *region;
	unsigned char *memory;
	struct pinreg_keys first_keys;
};

static char path[128], other[160], link_path[160];

static struct pinreg_domain *domain(void)
{
	struct pinreg_domain_opts opts = { .size = sizeof(opts), .quiesce_ms = 1 };
	return rdma_domain(&opts);
}

static const char *name_of(enum pinreg_seal seal)
{
	return seal == PINREG_SEAL_NONE	   ? "none"
	       : seal == PINREG_SEAL_LEASE ? "lease"
					   : "immutable";
}

/* Before 6.6 tmpfs did not take the flag. test_seal.c looks at what is said then. */
static bool takes_flag(const struct place *place)
{
	struct pinreg_file_flags flags;
	int fd = open(place->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	test_ok(fd);
	int status = pinreg_sys_real.file_flags_get(fd, &flags);
	close(fd);
	return !status;
}

static void write_file(const char *where, unsigned int length, unsigned int seed)
{
	static unsigned char bytes[LENGTH];
	rdma_pattern(bytes, length, seed);
	/* so that executing it is tried in earnest */
	memcpy(bytes, "#!/bin/true\n", 12);
	int fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	test_ok(fd);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static struct pinreg_keys keys_now(const struct row *row)
{
	return rdma_keys(row->region);
}

static void open_row(struct row *row)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.allow_page_cache = row->place->spare != NULL,
		.seal = row->seal,
	};
	struct pinreg_region_opts pages = {
		.size = sizeof(pages),
		.granularity = PINREG_GRANULARITY_PAGE,
	};
	struct pinreg_file_info info = { .size = sizeof(info) };
	struct pinreg_why why;
	write_file(path, LENGTH, BREAKER_OURS);
	write_file(other, BREAKER_COPY, BREAKER_HIS);
	test_ok(link(path, link_path));
	if (pinreg_file_open(domain(), AT_FDCWD, path, &opts, &why, &row->file) ||
	    pinreg_file_register(row->file, 0, 0, &pages, &why, &row->region))
		fail_msg("%s: %s", path, rdma_sentence(&why));
	test_ok(pinreg_file_query(row->file, &info));
	row->memory = info.addr;
	row->first_keys = keys_now(row);
}

static void close_row(struct row *row)
{
	struct pinreg_event event = { .size = sizeof(event) };
	assert_int_equal(pinreg_domain_next_event(domain(), &event), -EAGAIN);
	test_ok(pinreg_region_deregister(row->region));
	test_ok(pinreg_file_close(row->file));
	assert_int_equal(
		host_run("rm '%s'*; ls -A '%s' | grep -q ^.pinreg-", path, row->place->directory),
		1);
}

static enum pinreg_file_state state_of(const struct row *row)
{
	struct pinreg_file_info info = { .size = sizeof(info) };
	test_ok(pinreg_file_query(row->file, &info));
	assert_ptr_equal(info.addr, row->memory);
	return info.state;
}

static bool is_fenced_by(enum breaker_outcome outcome)
{
	return outcome == BREAKER_WAITS || outcome == BREAKER_EAGAIN ||
	       outcome == BREAKER_WAITS_BUSY;
}

static int errno_of(enum breaker_outcome outcome)
{
	switch (outcome) {
	case BREAKER_EAGAIN:
		return EAGAIN;
	case BREAKER_EPERM:
		return EPERM;
	case BREAKER_BUSY:
	case BREAKER_WAITS_BUSY:
		return ETXTBSY;
	default:
		return 0;
	}
}

/* ---- what a peer sees ---- */

/* Page 1 is wiped, and put there again by a peer with the keys of now. */
static void peer_puts_page_back(const struct row *row)
{
	struct pinreg_keys keys = keys_now(row);
	struct rdma_peer *peer = rdma_peer_open();
	unsigned char *page = row->memory + PAGE;
	memcpy(rdma_peer_buffer(peer), page, PAGE);
	memset(page, 0xee, PAGE);
	test_ok(rdma_peer_write(peer, &keys, PAGE, PAGE));
	test_ok(pinreg_region_commit(row->region, PAGE, PAGE));
	assert_memory_equal(page, rdma_peer_buffer(peer), PAGE);
	rdma_peer_close(peer);
}

static void peer_with_old_key_is_refused(const struct row *row)
{
	struct rdma_peer *peer = rdma_peer_open();
	assert_int_equal(rdma_peer_write(peer, &row->first_keys, 2 * PAGE, PAGE), -EREMOTEIO);
	rdma_peer_close(peer);
}

/* ---- what is in the file ---- */

static void expect_owner_bytes(const struct row *row, unsigned int from, unsigned int to)
{
	static unsigned char bytes[LENGTH];
	rdma_pattern(bytes, LENGTH, BREAKER_OURS);
	memcpy(bytes, "#!/bin/true\n", 12);
	for (unsigned int i = from; i < to; i++)
		if (row->memory[i] != bytes[i])
			fail_msg("byte %u is 0x%02x, not the owner's 0x%02x", i, row->memory[i],
				 bytes[i]);
}

static void expect_zeros(const struct row *row, unsigned int from)
{
	for (unsigned int i = from; i < LENGTH; i++)
		if (row->memory[i])
			fail_msg("byte %u is 0x%02x, not 0", i, row->memory[i]);
}

static void expect_data(const struct row *row)
{
	unsigned char bytes[BREAKER_STAMP];
	switch (row->breaker->effect) {
	case BREAKER_STAMPS:
		rdma_expect(row->memory + BREAKER_STAMP_AT, BREAKER_STAMP, BREAKER_HIS);
		expect_owner_bytes(row, 0, BREAKER_STAMP_AT);
		expect_owner_bytes(row, BREAKER_STAMP_AT + BREAKER_STAMP, LENGTH);
		break;
	case BREAKER_CUTS:
		expect_owner_bytes(row, 0, BREAKER_CUT);
		expect_zeros(row, BREAKER_CUT);
		break;
	case BREAKER_EMPTIES:
		expect_zeros(row, 0);
		break;
	case BREAKER_COPIES: {
		static unsigned char copy[BREAKER_COPY];
		rdma_pattern(copy, sizeof(copy), BREAKER_HIS);
		memcpy(copy, "#!/bin/true\n", 12);
		assert_memory_equal(row->memory, copy, sizeof(copy));
		expect_zeros(row, BREAKER_COPY);
		break;
	}
	case BREAKER_GROWS: {
		/* by the descriptor of another name: that breaks the lease once more */
		expect_owner_bytes(row, 0, LENGTH);
		int fd = open(link_path, O_RDONLY | O_CLOEXEC);
		test_ok(fd);
		assert_int_equal(pread(fd, bytes, sizeof(bytes), LENGTH), BREAKER_STAMP);
		close(fd);
		rdma_expect(bytes, sizeof(bytes), BREAKER_HIS);
		struct pinreg_event event;
		host_expect(domain(), PINREG_EVENT_BREAK, &event);
		host_expect(domain(), PINREG_EVENT_FENCED, &event);
		host_expect(domain(), PINREG_EVENT_RESTORED, &event);
		expect_owner_bytes(row, 0, LENGTH);
		break;
	}
	case BREAKER_CHANGES_NOTHING:
		expect_owner_bytes(row, 0, LENGTH);
		break;
	}
}

static uint64_t size_found(const struct row *row)
{
	static const uint64_t sizes[] = {
		[BREAKER_CHANGES_NOTHING] = LENGTH, [BREAKER_STAMPS] = LENGTH,
		[BREAKER_CUTS] = BREAKER_CUT,	    [BREAKER_EMPTIES] = 0,
		[BREAKER_COPIES] = BREAKER_COPY,    [BREAKER_GROWS] = LENGTH + BREAKER_STAMP,
	};
	return row->outcome == BREAKER_WAITS ? sizes[row->breaker->effect] : LENGTH;
}

/* ---- the rows ---- */

/* Until the kernel has let him in, nobody; then, as long as he stays, nobody else. */
static void fenced_row(struct row *row, bool peers)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct breaker_job job = { .path = path, .other = other };
	struct pinreg_event event;
	if (peers)
		peer_puts_page_back(row);
	breaker_start(&job, row->breaker);
	host_expect(domain(), PINREG_EVENT_BREAK, &event);
	assert_int_equal(event.breaker, row->breaker->kind);
	assert_int_equal(event.generation, 1);
	uint64_t deadline = event.deadline_ns;
	host_expect(domain(), PINREG_EVENT_FENCED, &event);
	if (row->outcome == BREAKER_WAITS && row->breaker->stays) {
		assert_true(breaker_entered(&job) >= deadline);
		assert_int_equal(pinreg_region_keys(row->region, &keys), -EAGAIN);
		assert_int_equal(state_of(row), PINREG_FILE_WAITING);
		if (peers)
			peer_with_old_key_is_refused(row);
	}
	assert_int_equal(breaker_end(&job), errno_of(row->outcome));
	host_expect(domain(), PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.generation, 2);
	assert_int_equal(event.old_size, LENGTH);
	assert_int_equal(event.new_size, size_found(row));
	assert_int_equal(event.zeroed, event.new_size < LENGTH ? LENGTH - event.new_size : 0);
	assert_int_equal(state_of(row), PINREG_FILE_HELD);
	keys = keys_now(row);
	assert_int_equal(keys.generation, 2);
	assert_int_equal(keys.addr, row->first_keys.addr);
	assert_int_not_equal(keys.rkey, row->first_keys.rkey);
}

/* Nothing happens to the keys; what he does to the file he does. */
static void unheard_row(struct row *row)
{
	struct pinreg_event event = { .size = sizeof(event) };
	struct breaker_job job = { .path = path, .other = other };
	breaker_start(&job, row->breaker);
	assert_int_equal(breaker_end(&job), errno_of(row->outcome));
	usleep(20000);
	assert_int_equal(pinreg_domain_next_event(domain(), &event), -EAGAIN);
	assert_int_equal(state_of(row), PINREG_FILE_HELD);
	struct pinreg_keys keys = keys_now(row);
	assert_int_equal(keys.generation, 1);
	assert_int_equal(keys.rkey, row->first_keys.rkey);
}

/* By its other name somebody finds it; after that it does not come back. */
static void lost_row(struct row *row)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct pinreg_event event;
	unheard_row(row);
	assert_int_equal(host_run("exec 9< '%s'", link_path), 0);
	host_expect(domain(), PINREG_EVENT_BREAK, &event);
	host_expect(domain(), PINREG_EVENT_FENCED, &event);
	host_expect(domain(), PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_FILE_REPLACED);
	assert_int_equal(pinreg_region_keys(row->region, &keys), -ESTALE);
	assert_int_equal(state_of(row), PINREG_FILE_LOST);
}

static void try_row(struct row *row)
{
	bool peers = row->place->peers && row->breaker->stays && row->seal != PINREG_SEAL_NONE;
	open_row(row);
	if (row->outcome == BREAKER_UNNOTICED) {
		lost_row(row);
	} else if (is_fenced_by(row->outcome)) {
		fenced_row(row, peers);
		if (row->outcome == BREAKER_WAITS)
			expect_data(row);
		else
			expect_owner_bytes(row, 0, LENGTH);
		if (peers)
			peer_puts_page_back(row);
	} else {
		unheard_row(row);
	}
	close_row(row);
}

static void try_place(const struct place *place)
{
	if (place->spare)
		spare_make(512, place->spare);
	snprintf(path, sizeof(path), "%s/broken-%d", place->directory, getpid());
	snprintf(other, sizeof(other), "%s-other", path);
	snprintf(link_path, sizeof(link_path), "%s-link", path);
	for (size_t s = 0; s < BREAKER_SEALS; s++) {
		if (breaker_seals[s] == PINREG_SEAL_IMMUTABLE && !takes_flag(place))
			continue;
		for (size_t i = 0; i < breaker_count; i++) {
			struct row row = {
				.place = place,
				.breaker = &breakers[i],
				.seal = breaker_seals[s],
				.outcome = breakers[i].outcome[s],
			};
			print_message("%s, seal %s: %s\n",
				      place->spare ? place->spare : place->directory,
				      name_of(row.seal), row.breaker->name);
			try_row(&row);
		}
	}
}

static void breakers__of_ext4_dax(void **state)
{
	(void)state;
	try_place(&dax_ext4);
}

static void breakers__of_xfs_dax(void **state)
{
	(void)state;
	try_place(&dax_xfs);
}

static void breakers__of_page_cache(void **state)
{
	(void)state;
	try_place(&cache_xfs);
}

static void breakers__of_tmpfs(void **state)
{
	(void)state;
	try_place(&tmpfs);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(breakers__of_ext4_dax),
	cmocka_unit_test(breakers__of_xfs_dax),
	cmocka_unit_test_teardown(breakers__of_page_cache, spare_remove),
	cmocka_unit_test_teardown(breakers__of_tmpfs, spare_remove),
};

TEST_MAIN(cases)
