/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c -- the process's own memory map, one mapping at a time.
 *
 * The ioctl answers in the same time however many mappings there are; reading
 * the text takes milliseconds where there are many. See docs/kernel-facts.md,
 * "Looking up what is mapped".
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pinreg/backing.h>

#include "sys/maps_descriptor.h"
#include "sys/maps_text.h"
#include "sys/procmap_abi.h"
#include "sys/real.h"

static atomic_bool text_forced;

void pinreg_maps_force_text(bool force)
{
	atomic_store(&text_forced, force);
}

/*
 * Is this the answer of a kernel, or of a filter in front of it, without the
 * ioctl? EBADF: another thread closed the descriptor since begin; the text is
 * right all the same.
 */
static bool means_missing(int error)
{
	return error == -ENOTTY || error == -EINVAL || error == -ENOSYS || error == -EOPNOTSUPP ||
	       error == -EPERM || error == -EBADF;
}

static int ask(int fd, uint64_t addr, char *name, size_t room, struct pinreg_procmap_query *query)
{
	*query = (struct pinreg_procmap_query){
		.size = sizeof(*query),
		.query_flags = PINREG_PROCMAP_COVERING_OR_NEXT,
		.query_addr = addr,
		.vma_name_size = (uint32_t)room,
		.vma_name_addr = (uint64_t)(uintptr_t)name,
	};
	if (name)
		name[0] = '\0';
	return ioctl(fd, PINREG_PROCMAP_QUERY, query) ? -errno : 0;
}

static int find_by_ioctl(int fd, uint64_t addr, struct pinreg_mapping *out)
{
	struct pinreg_procmap_query answer;
	int error = ask(fd, addr, out->name, sizeof(out->name), &answer);
	if (error == -ENAMETOOLONG) {
		/* a path longer than PATH_MAX: everything else is still good */
		error = ask(fd, addr, NULL, 0, &answer);
		out->name[0] = '\0';
	}
	if (error)
		return error;
	out->start = answer.vma_start;
	out->end = answer.vma_end;
	out->file_offset = answer.vma_offset;
	out->inode = answer.inode;
	out->dev_major = answer.dev_major;
	out->dev_minor = answer.dev_minor;
	out->prot = (answer.vma_flags & PINREG_PROCMAP_READABLE ? PINREG_PROT_READ : 0) |
		    (answer.vma_flags & PINREG_PROCMAP_WRITABLE ? PINREG_PROT_WRITE : 0);
	out->shared = answer.vma_flags & PINREG_PROCMAP_SHARED;
	out->page_size = (unsigned int)answer.vma_page_size;
	return 0;
}

/* The text is in ascending order; a question for a lower address starts over. */
static int find_in_text(struct pinreg_maps *maps, uint64_t addr, struct pinreg_mapping *out)
{
	if (addr < maps->passed) {
		maps->position = 0;
		maps->passed = 0;
	}
	while (maps->position < maps->length) {
		size_t used;
		int error = pinreg_maps_parse_line(maps->buffer + maps->position,
						   maps->length - maps->position, &used, out);
		if (error)
			return error;
		if (out->end > addr) {
			out->page_size = (unsigned int)pinreg_real_page_size();
			return 0;
		}
		maps->position += used;
		maps->passed = out->end;
	}
	return -ENOENT;
}

static int text_begin(struct pinreg_maps *maps)
{
	maps->text = true;
	return pinreg_maps_read_text(&maps->buffer, &maps->length);
}

int pinreg_real_maps_begin(struct pinreg_maps *maps)
{
	memset(maps, 0, sizeof(*maps));
	maps->fd = -1;
	if (atomic_load(&text_forced))
		return text_begin(maps);
	maps->fd = pinreg_maps_descriptor();
	if (maps->fd == -ENOMEM) {
		/* vm.max_map_count is reached: a look must not need a mapping */
		maps->fd = pinreg_maps_open();
		maps->own = maps->fd >= 0;
	}
	return maps->fd < 0 ? maps->fd : 0;
}

int pinreg_real_maps_find(struct pinreg_maps *maps, uint64_t addr, struct pinreg_mapping *out)
{
	if (!maps->text) {
		int error = find_by_ioctl(maps->fd, addr, out);
		if (!means_missing(error))
			return error;
		error = text_begin(maps);
		if (error)
			return error;
	}
	return find_in_text(maps, addr, out);
}

void pinreg_real_maps_end(struct pinreg_maps *maps)
{
	free(maps->buffer);
	maps->buffer = NULL;
	if (maps->own)
		close(maps->fd);
	maps->own = false;
	maps->fd = -1; /* the process's own stays open */
}
