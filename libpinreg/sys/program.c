/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.c -- which addresses are variables of the program and its libraries.
 *
 * They are private mappings of files too, but nobody means the file.
 */
#include <link.h>

#include "sys/real.h"

struct search {
	uint64_t addr;
	bool found;
};

static int look_at_object(struct dl_phdr_info *object, size_t size, void *context)
{
	struct search *search = context;
	(void)size;
	for (unsigned int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uint64_t start = object->dlpi_addr + segment->p_vaddr;
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W))
			continue;
		/* the page that the segment shares with the one before is its own copy */
		start -= start % 4096;
		if (search->addr >= start &&
		    search->addr < object->dlpi_addr + segment->p_vaddr + segment->p_memsz)
			search->found = true;
	}
	return search->found;
}

bool pinreg_real_program_data(uint64_t addr)
{
	struct search search = { .addr = addr };
	dl_iterate_phdr(look_at_object, &search);
	return search.found;
}
