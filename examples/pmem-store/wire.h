/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h -- the messages between client and server.
 *
 * Every message is one SEND of WIRE_BYTES bytes, little-endian, with every
 * field at a fixed place. A request is answered by one message of the same
 * type and id. Object data never travels in messages: it is moved by RDMA.
 *
 * Keys do not travel in them either: on the same connection come descriptors
 * (pinreg/descriptor.h), when the server thinks it right and not as an answer. What
 * is told here is where in the memory of which descriptor something is.
 */
#ifndef PMEM_STORE_WIRE_H
#define PMEM_STORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checksum.h"
#include "format.h"

#define WIRE_BYTES 384u
#define WIRE_DEFAULT_PORT 7471

enum wire_type {
	WIRE_HELLO = 1,	  /* how many files are there, which path MTU is needed */
	WIRE_RESERVE = 2, /* name, length: room for an object */
	WIRE_COMMIT = 3,  /* sequence (the ticket), generation, length, sum */
	WIRE_LOOKUP = 4,  /* name: where is it */
	WIRE_REMOVE = 5,  /* name */
	WIRE_FILE = 6,	  /* file: which are its regions; after the answer come their keys */
};

enum wire_status {
	WIRE_OK = 0,
	WIRE_BUSY = 1,	/* file: it is away, until it has keys of this generation */
	WIRE_STALE = 2, /* the same; it went away meanwhile: reserve and write again */
	WIRE_NOT_FOUND = 3,
	WIRE_FULL = 4,	    /* length: what is free, bytes */
	WIRE_DESTROYED = 5, /* the object was committed, its bytes are gone */
	WIRE_MISMATCH = 6,  /* what arrived does not have the checksum promised */
	WIRE_BAD_REQUEST = 7,
	WIRE_BAD_MTU = 8, /* length: the path MTU that is needed, bytes */
	WIRE_FAILED = 9,  /* the server could not make it durable */
	WIRE_STATUSES,
};

struct message {
	enum wire_type type;
	bool answer;
	enum wire_status status;
	uint32_t id;	     /* of the request */
	uint32_t path_mtu;   /* HELLO answer: needed, bytes; 0: any will do */
	uint32_t file;	     /* 0 ...; HELLO answer: how many there are */
	uint64_t generation; /* of the file's keys */
	uint64_t sequence;   /* of the object; in RESERVE and COMMIT: the ticket;
				HELLO answer: objects that moved between files so far */
	uint64_t length;     /* of the object, bytes */
	uint64_t offset;     /* of the object in the data area of the file */
	uint64_t span;	     /* bytes from there on that are moved: its bytes or pages */
	uint64_t store_size; /* FILE answer: of the file, bytes */
	uint64_t index_id;   /* FILE answer: of the descriptors of its index */
	uint64_t data_id;    /* FILE answer: of those of its data area */
	struct checksum sum;
	char name[FORMAT_NAME + 1];
};

void wire_encode(const struct message *message, uint8_t raw[WIRE_BYTES]);

/* False for everything that wire_encode() could not have made. */
bool wire_decode(const uint8_t *raw, size_t length, struct message *message);

const char *wire_status_text(enum wire_status status);

#endif
