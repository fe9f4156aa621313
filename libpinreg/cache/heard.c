/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heard.c -- which memory does not change without the monitor hearing of it.
 *
 * The kinds of plan/backing.h are not enough: shared memory is one kind there, and what
 * counts here is whether anybody else can have a handle to it. The kernel gives huge pages
 * that have none a name that no descriptor's file has. Memory shared with children is not
 * heard of: a child may empty it, and the message is the child's.
 */
#include "cache/heard.h"

#include <string.h>

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

/* A name in brackets is the kernel's, with a few exceptions. */
bool pinreg_heard_is_anonymous(const struct pinreg_mapping *mapping)
{
	const char *name = mapping->name;
	if (pinreg_mapping_has_file(mapping))
		return false;
	return !name[0] || !strcmp(name, "[heap]") || begins(name, "[stack") ||
	       begins(name, "[anon:");
}

/* On one of the kernel's own mounts, where a name is what the kernel makes it. */
static bool has_no_handle(const struct pinreg_mapping *mapping)
{
	return !strcmp(mapping->name, "/anon_hugepage (deleted)");
}

static bool is_heard_of(const struct pinreg_sys *sys, const struct pinreg_mapping *mapping,
			uint64_t addr, bool keep_files)
{
	struct pinreg_mapped_file file;
	if (!pinreg_mapping_has_file(mapping))
		return pinreg_heard_is_anonymous(mapping);
	if (begins(mapping->name, "/SYSV"))
		return false;
	if (!mapping->shared && sys->program_data && sys->program_data(addr))
		return true;
	sys->mapped_file(mapping, &file);
	if (file.anonymous && !mapping->shared)
		return true;
	if (!file.found || file.device || file.secret)
		return false;
	return keep_files || (!mapping->shared && file.internal && has_no_handle(mapping));
}

struct pinreg_heard pinreg_heard_of(const struct pinreg_sys *sys, uint64_t addr, uint64_t length,
				    bool keep_files)
{
	struct pinreg_heard found = { 0 };
	struct pinreg_maps maps;
	struct pinreg_mapping mapping;
	uint64_t start = addr, end = addr + length;
	if (sys->maps_begin(&maps))
		return found;
	found.keep = true;
	while (found.keep && addr < end) {
		found.keep = !sys->maps_find(&maps, addr, &mapping) && mapping.start <= addr &&
			     is_heard_of(sys, &mapping, addr, keep_files);
		addr = mapping.end;
	}
	sys->maps_end(&maps);
	if (found.keep && mapping.start <= start && pinreg_heard_is_anonymous(&mapping)) {
		found.start = mapping.start;
		found.end = mapping.end;
	}
	return found;
}
