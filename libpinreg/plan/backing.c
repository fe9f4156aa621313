/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backing.c -- runs of kinds behind a range of memory.
 */
#include "plan/backing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/opts.h"

/* Most ranges are one run. */
#define FIRST_ROOM 4

/* Many neighbours are mappings of one file: it is looked at once. */
struct file_cache {
	bool filled;
	uint64_t inode;
	unsigned int dev_major;
	unsigned int dev_minor;
	struct pinreg_mapped_file file;
};

struct walk {
	const struct pinreg_sys *sys;
	struct pinreg_backing *out;
	struct file_cache cache;
};

static const struct pinreg_mapped_file *file_of(struct walk *walk,
						const struct pinreg_mapping *mapping)
{
	struct file_cache *cache = &walk->cache;
	if (!cache->filled || cache->inode != mapping->inode ||
	    cache->dev_major != mapping->dev_major || cache->dev_minor != mapping->dev_minor) {
		walk->sys->mapped_file(mapping, &cache->file);
		cache->inode = mapping->inode;
		cache->dev_major = mapping->dev_major;
		cache->dev_minor = mapping->dev_minor;
		cache->filled = true;
	}
	return &cache->file;
}

/* Without a file, a name in brackets is the kernel's, with a few exceptions. */
static enum pinreg_kind kind_of_name(const char *name)
{
	if (!name[0] || !strcmp(name, "[heap]") || !strncmp(name, "[stack", 6) ||
	    !strncmp(name, "[anon:", 6))
		return PINREG_KIND_ANON;
	return PINREG_KIND_SPECIAL;
}

static enum pinreg_kind kind_of_file(const struct pinreg_mapped_file *file, bool shared)
{
	if (file->devdax)
		return PINREG_KIND_DEVDAX;
	if (file->device || file->secret)
		return PINREG_KIND_SPECIAL;
	if (file->anonymous && !shared)
		return file->hugetlb ? PINREG_KIND_HUGETLB : PINREG_KIND_ANON;
	/* whatever the file is: a store makes a copy that it never sees */
	if (!shared)
		return PINREG_KIND_PRIVATE_FILE;
	if (!file->found)
		return PINREG_KIND_UNKNOWN_FILE;
	if (file->hugetlb)
		return PINREG_KIND_HUGETLB;
	if (file->shmem)
		return PINREG_KIND_SHMEM;
	return file->dax ? PINREG_KIND_FSDAX : PINREG_KIND_PAGECACHE;
}

/* The run that the part of a mapping from addr on is. */
static void describe(struct walk *walk, const struct pinreg_mapping *mapping, uint64_t addr,
		     uint64_t length, struct pinreg_run *run)
{
	*run = (struct pinreg_run){
		.size = sizeof(*run),
		.addr = addr,
		.length = length,
		.prot = mapping->prot,
		.flags = mapping->shared ? PINREG_RUN_SHARED : 0,
		.page_size = mapping->page_size,
	};
	if (!pinreg_mapping_has_file(mapping)) {
		run->kind = kind_of_name(mapping->name);
		return;
	}
	const struct pinreg_mapped_file *file = file_of(walk, mapping);
	run->kind = kind_of_file(file, mapping->shared);
	if (run->kind == PINREG_KIND_PRIVATE_FILE && mapping->prot & PINREG_PROT_WRITE &&
	    walk->sys->program_data && walk->sys->program_data(addr)) {
		run->kind = PINREG_KIND_ANON; /* a variable: nobody means the file */
		return;
	}
	if (file->page_size)
		run->page_size = file->page_size;
	if (run->kind == PINREG_KIND_PRIVATE_FILE && file->dax)
		run->flags |= PINREG_RUN_PRIVATE_DAX;
	if (!file->sized && run->kind != PINREG_KIND_ANON && run->kind != PINREG_KIND_SPECIAL)
		run->flags |= PINREG_RUN_NO_SIZE;
	run->file_offset = mapping->file_offset + (addr - mapping->start);
	run->file_size = file->size;
	run->inode = mapping->inode;
	run->dev_major = mapping->dev_major;
	run->dev_minor = mapping->dev_minor;
}

static bool continues(const struct pinreg_run *run, const struct pinreg_run *next)
{
	bool file = run->inode || run->dev_major || run->dev_minor;
	return run->kind == next->kind && run->prot == next->prot && run->flags == next->flags &&
	       run->page_size == next->page_size && run->file_size == next->file_size &&
	       run->inode == next->inode && run->dev_major == next->dev_major &&
	       run->dev_minor == next->dev_minor &&
	       (!file || run->file_offset + run->length == next->file_offset);
}

static int append(struct pinreg_backing *backing, const struct pinreg_run *run)
{
	if (backing->count && continues(&backing->runs[backing->count - 1], run)) {
		backing->runs[backing->count - 1].length += run->length;
		return 0;
	}
	if (backing->count == backing->room) {
		size_t room = backing->room ? 2 * backing->room : FIRST_ROOM;
		struct pinreg_run *larger = realloc(backing->runs, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		backing->runs = larger;
		backing->room = room;
	}
	backing->runs[backing->count++] = *run;
	return 0;
}

static int append_hole(struct walk *walk, uint64_t addr, uint64_t end)
{
	const struct pinreg_run hole = {
		.size = sizeof(hole),
		.addr = addr,
		.length = end - addr,
		.kind = PINREG_KIND_HOLE,
	};
	return append(walk->out, &hole);
}

/* One step: the mapping at *addr, or the hole before the next one. */
static int step(struct walk *walk, struct pinreg_maps *maps, uint64_t *addr, uint64_t end)
{
	struct pinreg_mapping mapping;
	int error = walk->sys->maps_find(maps, *addr, &mapping);
	if (error && error != -ENOENT)
		return error;

	uint64_t from = *addr;
	if (error || mapping.start >= end) {
		*addr = end;
		return append_hole(walk, from, end);
	}
	if (mapping.start > from) {
		error = append_hole(walk, from, mapping.start);
		if (error)
			return error;
		from = mapping.start;
	}
	*addr = mapping.end < end ? mapping.end : end;
	struct pinreg_run run;
	describe(walk, &mapping, from, *addr - from, &run);
	return append(walk->out, &run);
}

int pinreg_backing_look(const struct pinreg_sys *sys, uint64_t addr, uint64_t length,
			struct pinreg_backing *out)
{
	struct walk walk = { .sys = sys, .out = out };
	struct pinreg_maps maps;
	int error = sys->maps_begin(&maps);
	if (error)
		return error;
	uint64_t end = addr + length;
	while (!error && addr < end)
		error = step(&walk, &maps, &addr, end);
	sys->maps_end(&maps);
	if (error)
		pinreg_backing_clear(out);
	return error;
}

void pinreg_backing_clear(struct pinreg_backing *backing)
{
	free(backing->runs);
	memset(backing, 0, sizeof(*backing));
}

int pinreg_backing_query(const void *addr, size_t length, struct pinreg_backing **out)
{
	if (!out || !length || length > UINTPTR_MAX - (uintptr_t)addr)
		return -EINVAL;
	struct pinreg_backing *backing = calloc(1, sizeof(*backing));
	if (!backing)
		return -ENOMEM;
	int error = pinreg_backing_look(&pinreg_sys_real, (uintptr_t)addr, length, backing);
	if (error) {
		free(backing);
		return error;
	}
	*out = backing;
	return 0;
}

size_t pinreg_backing_count(const struct pinreg_backing *backing)
{
	return backing ? backing->count : 0;
}

int pinreg_backing_get(const struct pinreg_backing *backing, size_t index, struct pinreg_run *out)
{
	int error = pinreg_info_check(out, offsetof(struct pinreg_run, prot));
	if (error || !backing || index >= backing->count)
		return -EINVAL;
	pinreg_info_write(out, &backing->runs[index], sizeof(backing->runs[index]));
	return 0;
}

void pinreg_backing_free(struct pinreg_backing *backing)
{
	if (!backing)
		return;
	pinreg_backing_clear(backing);
	free(backing);
}

const char *pinreg_kind_name(enum pinreg_kind kind)
{
	static const char *const names[] = {
		[PINREG_KIND_NONE] = "none",
		[PINREG_KIND_HOLE] = "hole",
		[PINREG_KIND_ANON] = "anon",
		[PINREG_KIND_SHMEM] = "shmem",
		[PINREG_KIND_HUGETLB] = "hugetlb",
		[PINREG_KIND_PAGECACHE] = "pagecache",
		[PINREG_KIND_FSDAX] = "fsdax",
		[PINREG_KIND_DEVDAX] = "devdax",
		[PINREG_KIND_PRIVATE_FILE] = "private-file",
		[PINREG_KIND_SPECIAL] = "special",
		[PINREG_KIND_UNKNOWN_FILE] = "unknown-file",
	};
	size_t index = (size_t)kind;
	return index < sizeof(names) / sizeof(names[0]) ? names[index] : "?";
}
