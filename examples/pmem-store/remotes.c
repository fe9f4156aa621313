/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * remotes.c -- what a client knows of the server's files: the keys, as they were pushed.
 */
#include "remotes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void forget(struct remote_file *file)
{
	for (unsigned int part = 0; part < REMOTE_PARTS; part++)
		pinreg_remote_close(file->remote[part]);
	memset(file, 0, sizeof(*file));
}

int remotes_resize(struct remotes *remotes, uint32_t count)
{
	struct remote_file *files;

	if (count == remotes->count)
		return 0;
	remotes_free(remotes);
	files = calloc(count, sizeof(*files));
	if (!files)
		return -ENOMEM;
	*remotes = (struct remotes){ files, count };
	return 0;
}

int remotes_describe(struct remotes *remotes, uint32_t number, const struct message *answer)
{
	struct remote_file *file = &remotes->files[number];
	int ret = 0;

	if (answer->store_size < FORMAT_MIN_SIZE || answer->store_size % FORMAT_PAGE ||
	    answer->index_id == answer->data_id)
		return -EBADMSG;
	if (file->size == answer->store_size && file->id[REMOTE_INDEX] == answer->index_id &&
	    file->id[REMOTE_DATA] == answer->data_id)
		return 0;
	forget(file);
	for (unsigned int part = 0; ret == 0 && part < REMOTE_PARTS; part++)
		ret = pinreg_remote_open(&file->remote[part]);
	if (ret) {
		forget(file);
		return ret;
	}
	file->size = answer->store_size;
	file->id[REMOTE_INDEX] = answer->index_id;
	file->id[REMOTE_DATA] = answer->data_id;
	return 0;
}

void remotes_free(struct remotes *remotes)
{
	for (uint32_t i = 0; i < remotes->count; i++)
		forget(&remotes->files[i]);
	free(remotes->files);
	*remotes = (struct remotes){ 0 };
}

int remotes_update(struct remotes *remotes, const void *descriptor)
{
	struct pinreg_descriptor new = { .size = sizeof(new) };
	int ret = pinreg_descriptor_import(descriptor, PINREG_DESCRIPTOR_LENGTH, &new);

	if (ret)
		return ret;
	for (uint32_t i = 0; i < remotes->count; i++) {
		for (unsigned int part = 0; part < REMOTE_PARTS; part++) {
			if (remotes->files[i].id[part] == new.id)
				return pinreg_remote_update(remotes->files[i].remote[part],
							    descriptor, PINREG_DESCRIPTOR_LENGTH);
		}
	}
	return -EBADMSG; /* the answer that tells the ids comes before the keys */
}

int remotes_get(const struct remotes *remotes, uint32_t file, enum remote_part part,
		struct pinreg_descriptor *out)
{
	out->size = sizeof(*out);
	return pinreg_remote_get(remotes->files[file].remote[part], out);
}

uint64_t remotes_generation(const struct remotes *remotes, uint32_t file)
{
	struct pinreg_descriptor index;
	struct pinreg_descriptor data;

	if (remotes_get(remotes, file, REMOTE_INDEX, &index) != 0 ||
	    remotes_get(remotes, file, REMOTE_DATA, &data) != 0)
		return 0;
	return index.generation < data.generation ? index.generation : data.generation;
}

void remotes_failed(struct remotes *remotes, uint32_t file, enum remote_part part,
		    uint64_t generation)
{
	pinreg_remote_failed(remotes->files[file].remote[part], generation);
}
