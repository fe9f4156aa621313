/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c -- a remote peer that stores objects in the files and reads them back, all
 * the time, through keys that die and are replaced.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"
#include "support/rdma.h"

struct turn {
	struct soak_client *client;
	struct rdma_peer *peer;
	struct soak_file *file;
	unsigned int number; /* of the file */
	unsigned int page;
};

static unsigned int seed_of(const struct turn *turn, uint64_t version)
{
	return (unsigned int)(version * SOAK_PAGES + turn->page) * SOAK_FILES + turn->number;
}

/* One that met an error is dead: the queue pair, not the memory. */
static void connect_again(struct turn *turn, int status)
{
	rdma_peer_close(turn->peer);
	turn->peer = rdma_peer_open();
	if (status == -ETIMEDOUT)
		turn->client->silent++;
	else
		turn->client->refused++;
}

/* 0, or the file is not there now. */
static int store(struct turn *turn)
{
	struct soak_page *page = &turn->file->pages[turn->page];
	struct pinreg_keys keys = { .size = sizeof(keys) };
	uint64_t offset = turn->page * SOAK_PAGE;
	int status = pinreg_region_keys(turn->file->region, &keys);
	if (status)
		return status;
	rdma_pattern(rdma_peer_buffer(turn->peer), SOAK_PAGE, seed_of(turn, page->version + 1));
	page->unsure = true;
	status = rdma_peer_write(turn->peer, &keys, offset, SOAK_PAGE);
	if (status) {
		connect_again(turn, status);
		return status;
	}
	status = pinreg_region_commit(turn->file->region, offset, SOAK_PAGE);
	if (status) {
		turn->client->undone++;
		return status;
	}
	page->version++;
	page->unsure = false;
	turn->client->commits++;
	return 0;
}

/* The first byte that is not as it was stored; SOAK_PAGE: none. */
static unsigned int first_wrong(const struct turn *turn, const unsigned char *got)
{
	static _Thread_local unsigned char expected[SOAK_PAGE];
	uint64_t version = turn->file->pages[turn->page].version;
	unsigned int at = 0;
	memset(expected, 0, sizeof(expected));
	if (version)
		rdma_pattern(expected, SOAK_PAGE, seed_of(turn, version));
	while (at < SOAK_PAGE && got[at] == expected[at])
		at++;
	return at;
}

/* 0, or the file is not there now. */
static int check(struct turn *turn)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	int status = pinreg_region_keys(turn->file->region, &keys);
	if (status)
		return status;
	status = rdma_peer_read(turn->peer, &keys, turn->page * SOAK_PAGE, SOAK_PAGE);
	if (status) {
		connect_again(turn, status);
		return status;
	}
	const unsigned char *got = rdma_peer_buffer(turn->peer);
	unsigned int at = first_wrong(turn, got);
	unsigned int wrong = at;
	/* the tail may have been cut: then it is zero from there on */
	if (turn->page >= SOAK_TAIL)
		while (at < SOAK_PAGE && !got[at])
			at++;
	if (at < SOAK_PAGE)
		soak_fail(turn->client->shared, "%s: page %u: byte %u is 0x%02x",
			  turn->client->shared->path[turn->number], turn->page, wrong, got[wrong]);
	turn->client->checks++;
	return 0;
}

static void take_turn(struct turn *turn)
{
	uint64_t random = soak_random(&turn->client->seed);
	turn->page = (unsigned int)(random % SOAK_PAGES);
	if (turn->page == SOAK_VISITORS_PAGE)
		return;
	/* what may or may not have arrived cannot be checked: it is stored again */
	int status = turn->file->pages[turn->page].unsure || random >> 32 & 1 ? store(turn)
									      : check(turn);
	/* of a machine that has too much to do a transfer may get no answer in time */
	if (status == -EAGAIN || status == -EREMOTEIO || status == -ETIMEDOUT)
		return;
	if (status)
		soak_fail(turn->client->shared, "%s: a client gets %s",
			  turn->client->shared->path[turn->number], strerror(-status));
}

void *soak_client_run(void *context)
{
	struct soak_client *client = context;
	struct turn turn = { .client = client, .peer = rdma_peer_open() };
	while (!client->stop) {
		client->paused = client->pause;
		if (client->paused) {
			usleep(1000);
			continue;
		}
		uint64_t random = soak_random(&client->seed) % (SOAK_FILES / SOAK_CLIENTS);
		turn.number = (unsigned int)random * SOAK_CLIENTS + client->number;
		turn.file = &client->files[turn.number];
		take_turn(&turn);
	}
	rdma_peer_close(turn.peer);
	return NULL;
}

void soak_check_all(struct soak_client *client)
{
	struct turn turn = { .client = client, .peer = rdma_peer_open() };
	for (turn.number = client->number; turn.number < SOAK_FILES; turn.number += SOAK_CLIENTS) {
		turn.file = &client->files[turn.number];
		for (turn.page = 0; turn.page < SOAK_PAGES; turn.page++) {
			if (turn.page == SOAK_VISITORS_PAGE || turn.file->pages[turn.page].unsure)
				continue;
			int status = check(&turn);
			if (status)
				soak_fail(client->shared, "%s: page %u cannot be read: %s",
					  client->shared->path[turn.number], turn.page,
					  strerror(-status));
		}
	}
	rdma_peer_close(turn.peer);
}
