/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c -- the messages between client and server.
 */
#include "wire.h"

#include "bytes.h"

#define MAGIC 0x53504d50u /* "PMPS" */
#define VERSION 2u
#define FLAG_ANSWER 1u

enum {
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_TYPE = 6,
	AT_FLAGS = 8,
	AT_STATUS = 10,
	AT_ID = 12,
	AT_PATH_MTU = 16,
	AT_FILE = 20,
	AT_GENERATION = 24,
	AT_SEQUENCE = 32,
	AT_LENGTH = 40,
	AT_OFFSET = 48,
	AT_SPAN = 56,
	AT_STORE_SIZE = 64,
	AT_SUM = 72,
	AT_INDEX_ID = 88,
	AT_DATA_ID = 96,
	AT_NAME_LENGTH = 104,
	AT_NAME = 112,
	AT_END = AT_NAME + FORMAT_NAME,
};

void wire_encode(const struct message *message, uint8_t raw[WIRE_BYTES])
{
	size_t name_length = strlen(message->name);

	memset(raw, 0, WIRE_BYTES);
	put32(raw + AT_MAGIC, MAGIC);
	put16(raw + AT_VERSION, VERSION);
	put16(raw + AT_TYPE, (uint16_t)message->type);
	put16(raw + AT_FLAGS, message->answer ? FLAG_ANSWER : 0);
	put16(raw + AT_STATUS, (uint16_t)message->status);
	put32(raw + AT_ID, message->id);
	put32(raw + AT_PATH_MTU, message->path_mtu);
	put32(raw + AT_FILE, message->file);
	put64(raw + AT_GENERATION, message->generation);
	put64(raw + AT_SEQUENCE, message->sequence);
	put64(raw + AT_LENGTH, message->length);
	put64(raw + AT_OFFSET, message->offset);
	put64(raw + AT_SPAN, message->span);
	put64(raw + AT_STORE_SIZE, message->store_size);
	memcpy(raw + AT_SUM, message->sum.byte, CHECKSUM_BYTES);
	put64(raw + AT_INDEX_ID, message->index_id);
	put64(raw + AT_DATA_ID, message->data_id);
	put16(raw + AT_NAME_LENGTH, (uint16_t)name_length);
	memcpy(raw + AT_NAME, message->name, name_length);
}

static bool carries_name(const struct message *message)
{
	return !message->answer && (message->type == WIRE_RESERVE || message->type == WIRE_LOOKUP ||
				    message->type == WIRE_REMOVE);
}

static bool head_ok(const uint8_t *raw)
{
	uint16_t type = get16(raw + AT_TYPE);

	return get32(raw + AT_MAGIC) == MAGIC && get16(raw + AT_VERSION) == VERSION &&
	       type >= WIRE_HELLO && type <= WIRE_FILE &&
	       (get16(raw + AT_FLAGS) & ~FLAG_ANSWER) == 0 &&
	       get16(raw + AT_STATUS) < WIRE_STATUSES;
}

bool wire_decode(const uint8_t *raw, size_t length, struct message *message)
{
	uint8_t again[WIRE_BYTES];
	size_t name_length;

	if (length != WIRE_BYTES || !head_ok(raw))
		return false;
	memset(message, 0, sizeof(*message));
	message->type = (enum wire_type)get16(raw + AT_TYPE);
	message->answer = get16(raw + AT_FLAGS) & FLAG_ANSWER;
	message->status = (enum wire_status)get16(raw + AT_STATUS);
	message->id = get32(raw + AT_ID);
	message->path_mtu = get32(raw + AT_PATH_MTU);
	message->file = get32(raw + AT_FILE);
	message->generation = get64(raw + AT_GENERATION);
	message->sequence = get64(raw + AT_SEQUENCE);
	message->length = get64(raw + AT_LENGTH);
	message->offset = get64(raw + AT_OFFSET);
	message->span = get64(raw + AT_SPAN);
	message->store_size = get64(raw + AT_STORE_SIZE);
	memcpy(message->sum.byte, raw + AT_SUM, CHECKSUM_BYTES);
	message->index_id = get64(raw + AT_INDEX_ID);
	message->data_id = get64(raw + AT_DATA_ID);
	name_length = get16(raw + AT_NAME_LENGTH);
	if (message->span > UINT64_MAX - message->offset || name_length > FORMAT_NAME)
		return false;
	if (carries_name(message) ? !format_name_ok((const char *)raw + AT_NAME, name_length)
				  : name_length != 0)
		return false;
	memcpy(message->name, raw + AT_NAME, name_length);
	/* what is left over must be zero: encoding it again tells */
	wire_encode(message, again);
	return memcmp(raw, again, WIRE_BYTES) == 0;
}

const char *wire_status_text(enum wire_status status)
{
	static const char *const text[WIRE_STATUSES] = {
		[WIRE_OK] = "done",
		[WIRE_BUSY] = "the file is away",
		[WIRE_STALE] = "the file was away meanwhile",
		[WIRE_NOT_FOUND] = "no object of this name",
		[WIRE_FULL] = "the store is full",
		[WIRE_DESTROYED] = "the object was destroyed by somebody who changed the file",
		[WIRE_MISMATCH] = "what arrived does not have the checksum that was sent",
		[WIRE_BAD_REQUEST] = "the server refused the request as malformed",
		[WIRE_BAD_MTU] = "the path MTU is not the one the server's device was tested at",
		[WIRE_FAILED] = "the server could not make it durable",
	};

	return status < WIRE_STATUSES ? text[status] : "?";
}
