/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c -- operations on a server, each done again until it is done.
 */
#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connect.h"
#include "listing.h"
#include "say.h"

#define FIRST_PAUSE_MS 10u
#define LONGEST_PAUSE_MS 500u
#define KEYS_MS 1000u /* keys may come so much later than an answer that needs them */
#define MISMATCHES 5u /* so often bytes may differ from their checksum */

/* What an attempt has come to. Negative: -errno of the connection. */
#define DONE 0
#define AGAIN 1 /* the connection is good; wait for keys or a moment, and again */
#define OVER 2	/* the answer is final */

struct attempt {
	struct client *client;
	const char *name;
	const void *put; /* what is put */
	void *got;	 /* what is got */
	uint64_t length;
	struct checksum sum;
	struct entry *entries;
	size_t count;
	unsigned int mismatches;
	bool awaits; /* before AGAIN: keys of this generation */
	uint32_t file;
	uint64_t generation;
	char reason[160]; /* of AGAIN and OVER */
};

typedef int operation(struct attempt *attempt);

__attribute__((format(printf, 3, 4))) static int outcome(struct attempt *attempt, int what,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(attempt->reason, sizeof(attempt->reason), format, args);
	va_end(args);
	return what;
}

static int await(struct attempt *attempt, uint32_t file, uint64_t generation,
		 enum wire_status status)
{
	attempt->awaits = true;
	attempt->file = file;
	attempt->generation = generation;
	return outcome(attempt, AGAIN, "%s", wire_status_text(status));
}

static int by_status(struct attempt *attempt, const struct message *answer)
{
	int what = OVER;

	if (answer->status == WIRE_OK)
		return DONE;
	if (answer->status == WIRE_BUSY || answer->status == WIRE_STALE)
		return await(attempt, answer->file, answer->generation, answer->status);
	if (answer->status == WIRE_MISMATCH && ++attempt->mismatches < MISMATCHES)
		what = AGAIN;
	if (answer->status == WIRE_FULL)
		return outcome(attempt, what, "%s: %llu bytes wanted, %llu free",
			       wire_status_text(answer->status),
			       (unsigned long long)attempt->length,
			       (unsigned long long)answer->length);
	return outcome(attempt, what, "%s", wire_status_text(answer->status));
}

/* The span of an object is its bytes or its pages, as the server's memory needs it. */
static bool span_fits(const struct client *client, const struct message *answer)
{
	if (answer->file >= client->remotes.count ||
	    answer->length > client->remotes.files[answer->file].size)
		return false;
	return answer->span == answer->length ||
	       (answer->span == format_whole_pages(answer->length) &&
		answer->offset % FORMAT_PAGE == 0);
}

/* Where the answer says, with keys of its generation: they may be still on their way. */
static int transfer(struct attempt *attempt, bool write, const struct message *answer, void *data)
{
	struct client *client = attempt->client;
	struct span span = { .file = answer->file,
			     .part = REMOTE_DATA,
			     .generation = answer->generation,
			     .offset = answer->offset,
			     .length = answer->span };
	int ret = connect_await(client, span.file, span.generation, KEYS_MS);

	if (ret == -ETIMEDOUT)
		return await(attempt, span.file, span.generation, WIRE_BUSY);
	if (ret < 0)
		return ret;
	ret = connect_transfer(client, write, &span, data, answer->length);
	if (ret > 0)
		return await(attempt, span.file, span.generation + 1, WIRE_STALE);
	return ret;
}

static int call(struct attempt *attempt, enum wire_type type, struct message *answer)
{
	struct message request = { .type = type, .length = attempt->length };
	int ret;

	memcpy(request.name, attempt->name, strlen(attempt->name) + 1);
	ret = connect_call(attempt->client, &request, answer);
	return ret ? ret : by_status(attempt, answer);
}

static int try_put(struct attempt *attempt)
{
	struct client *client = attempt->client;
	struct message request = { .type = WIRE_COMMIT, .sum = attempt->sum };
	struct message answer;
	int ret = call(attempt, WIRE_RESERVE, &answer);

	if (ret)
		return ret;
	if (answer.length != attempt->length || !span_fits(client, &answer))
		return -EBADMSG;
	request.sequence = answer.sequence;
	request.generation = answer.generation;
	request.length = attempt->length;
	/* only read from, and only as the source of copies into the window */
	ret = transfer(attempt, true, &answer, (void *)(uintptr_t)attempt->put);
	if (ret == 0)
		ret = connect_call(client, &request, &answer);
	return ret ? ret : by_status(attempt, &answer);
}

static struct checksum sum_of(struct checksum_stream *stream, const void *data, uint64_t length)
{
	checksum_restart(stream);
	checksum_add(stream, data, length);
	return checksum_result(stream);
}

static int try_get(struct attempt *attempt)
{
	struct checksum_stream *stream;
	struct checksum sum;
	struct message answer;
	int ret;

	attempt->length = 0;
	ret = call(attempt, WIRE_LOOKUP, &answer);
	if (ret)
		return ret;
	if (!span_fits(attempt->client, &answer))
		return -EBADMSG;
	attempt->length = answer.length;
	free(attempt->got);
	attempt->got = malloc(answer.length ? answer.length : 1);
	stream = checksum_start();
	if (!attempt->got || !stream) {
		checksum_end(stream);
		return outcome(attempt, OVER, "no memory for %llu bytes",
			       (unsigned long long)answer.length);
	}
	ret = transfer(attempt, false, &answer, attempt->got);
	if (ret == 0)
		sum = sum_of(stream, attempt->got, answer.length);
	checksum_end(stream);
	if (ret || checksum_equal(&sum, &answer.sum))
		return ret;
	/* it may have been overwritten and its place used again while we read */
	return outcome(attempt, ++attempt->mismatches < MISMATCHES ? AGAIN : OVER,
		       "what was read does not have the object's checksum");
}

static int try_remove(struct attempt *attempt)
{
	struct message answer;

	return call(attempt, WIRE_REMOVE, &answer);
}

static int try_list(struct attempt *attempt)
{
	uint32_t away;
	int ret = listing_read(attempt->client, &attempt->entries, &attempt->count, &away);

	if (ret <= 0)
		return ret;
	if (ret == 2)
		return await(attempt, away, 1, WIRE_BUSY);
	return outcome(attempt, ++attempt->mismatches < MISMATCHES ? AGAIN : OVER,
		       "the index is damaged, or changes all the time");
}

static int try_once(struct attempt *attempt, operation *try)
{
	struct client *client = attempt->client;
	int ret = client->connected ? 0 : connect_now(client);

	attempt->awaits = false;
	if (ret == 0 && !client->connected) {
		ret = by_status(attempt, &client->hello);
		connect_drop(client);
	} else if (ret == 0) {
		ret = try(attempt);
	}
	if (ret >= 0)
		return ret;
	connect_drop(client);
	outcome(attempt, AGAIN, "%s", ret == -EACCES ? "the keys are dead" : strerror(-ret));
	/* these do not pass */
	return ret == -EINVAL || ret == -ENODEV || ret == -ENOMEM || ret == -EPERM ? OVER : AGAIN;
}

/* For the new keys, if it is known which; else, or if they are here, for a moment. */
static void wait_before_next(struct attempt *attempt, unsigned int left_ms, unsigned int *pause_ms)
{
	struct client *client = attempt->client;
	struct timespec time = { .tv_sec = 0, .tv_nsec = (long)*pause_ms * 1000000 };
	int ret = 1;

	if (attempt->awaits && client->connected)
		ret = connect_await(client, attempt->file, attempt->generation, left_ms);
	if (ret < 0 && ret != -ETIMEDOUT)
		connect_drop(client);
	if (ret == 0)
		return;
	nanosleep(&time, NULL);
	*pause_ms = 2 * *pause_ms < LONGEST_PAUSE_MS ? 2 * *pause_ms : LONGEST_PAUSE_MS;
}

static bool run(struct attempt *attempt, operation *try, const char *verb)
{
	struct client *client = attempt->client;
	uint64_t begin = connect_clock_ms();
	unsigned int pause_ms = FIRST_PAUSE_MS;
	unsigned int tries = 1;
	bool reconnected = false;

	for (;; tries++) {
		int ret = try_once(attempt, try);
		uint64_t gone = connect_clock_ms() - begin;

		if (ret == DONE)
			break;
		if (ret == OVER || gone > client->patience_ms) {
			complain("%s %s: %s%s", verb, attempt->name, attempt->reason,
				 ret == OVER ? "" : ", and patience has ended");
			return false;
		}
		if (tries == 1)
			complain("%s %s: %s; trying again", verb, attempt->name, attempt->reason);
		wait_before_next(attempt, (unsigned int)(client->patience_ms - gone), &pause_ms);
		reconnected = reconnected || !client->connected;
	}
	if (tries > 1)
		complain("%s %s: went on by itself after %llu ms, %s", verb, attempt->name,
			 (unsigned long long)(connect_clock_ms() - begin),
			 reconnected ? "connected again" : "with the new keys that were sent");
	return true;
}

void client_init(struct client *client, const char *addr, uint16_t port, unsigned int patience_s)
{
	*client = (struct client){ .addr = addr, .port = port, .patience_ms = patience_s * 1000 };
}

void client_close(struct client *client)
{
	connect_drop(client);
	connect_free_window(client);
	remotes_free(&client->remotes);
	device_close(&client->device);
}

bool client_put(struct client *client, const char *name, const void *data, uint64_t length)
{
	struct attempt attempt = { .client = client, .name = name, .put = data, .length = length };
	struct checksum_stream *stream = checksum_start();

	if (!stream)
		return false;
	attempt.sum = sum_of(stream, data, length);
	checksum_end(stream);
	return run(&attempt, try_put, "put");
}

bool client_get(struct client *client, const char *name, void **data, uint64_t *length)
{
	struct attempt attempt = { .client = client, .name = name };
	bool ok = run(&attempt, try_get, "get");

	if (!ok) {
		free(attempt.got);
		return false;
	}
	*data = attempt.got;
	*length = attempt.length;
	return true;
}

bool client_remove(struct client *client, const char *name)
{
	struct attempt attempt = { .client = client, .name = name };

	return run(&attempt, try_remove, "rm");
}

bool client_list(struct client *client, struct entry **entries, size_t *count)
{
	struct attempt attempt = { .client = client, .name = "index" };

	if (!run(&attempt, try_list, "ls"))
		return false;
	*entries = attempt.entries;
	*count = attempt.count;
	return true;
}
