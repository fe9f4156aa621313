/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * remotes.h -- what a client knows of the server's files: the keys, as they were pushed.
 */
#ifndef PMEM_STORE_REMOTES_H
#define PMEM_STORE_REMOTES_H

#include <stdint.h>

#include <pinreg/pinreg.h>

#include "wire.h"

enum remote_part { REMOTE_INDEX, REMOTE_DATA, REMOTE_PARTS };

struct remote_file {
	uint64_t size; /* bytes */
	uint64_t id[REMOTE_PARTS];
	struct pinreg_remote *remote[REMOTE_PARTS];
};

struct remotes {
	struct remote_file *files;
	uint32_t count;
};

/* As many files as the server has. What was known stays, where it is of the same server. */
int remotes_resize(struct remotes *remotes, uint32_t count); /* 0 or -ENOMEM */
/* The server's answer about a file. A server that was started again has other ids, and
 * what was known is forgotten. 0, -ENOMEM, or -EBADMSG. */
int remotes_describe(struct remotes *remotes, uint32_t file, const struct message *answer);
void remotes_free(struct remotes *remotes);

/* A descriptor has arrived. 0 or -EBADMSG. */
int remotes_update(struct remotes *remotes, const void *descriptor);
/* As pinreg_remote_get(). */
int remotes_get(const struct remotes *remotes, uint32_t file, enum remote_part part,
		struct pinreg_descriptor *out);
/* The generation of the keys of both parts, or 0 while there are none. */
uint64_t remotes_generation(const struct remotes *remotes, uint32_t file);
/* A transfer with this generation found the key dead. */
void remotes_failed(struct remotes *remotes, uint32_t file, enum remote_part part,
		    uint64_t generation);

#endif
