/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c -- the memory that a plan is asked for: made, or a file mapped.
 */
#include "memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "size.h"

/* A number of /proc/meminfo: "Hugepagesize:       2048 kB". 0 where there is none. */
static uint64_t meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t value = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		size_t length = strlen(name);

		if (strncmp(line, name, length) == 0 && line[length] == ':') {
			sscanf(line + length + 1, "%" SCNu64, &value);
			break;
		}
	}
	fclose(file);
	return value;
}

static enum status map(uint64_t length, int flags, int fd, struct memory *out,
		       struct failure *failure)
{
	out->map = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (out->map == MAP_FAILED)
		return fail(failure, STATUS_REFUSED, errno, "cannot make %s of memory (--%s): %s",
			    size_write(length).text, out->source, strerror(errno));
	out->addr = out->map;
	out->length = out->map_length = length;
	out->writable = true;
	return STATUS_GOOD;
}

static enum status make_hugetlb(uint64_t length, struct memory *out, struct failure *failure)
{
	uint64_t page = meminfo("Hugepagesize") * 1024;
	uint64_t free_pages;

	if (!page)
		return fail(failure, STATUS_REFUSED, EOPNOTSUPP, "this kernel has no huge pages");
	if (length % page)
		return fail(failure, STATUS_REFUSED, EINVAL,
			    "--hugetlb: %" PRIu64 " bytes are not whole huge pages, which have %s",
			    length, size_write(page).text);
	if (!map(length, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, out, failure))
		return STATUS_GOOD;
	if (failure->error != ENOMEM)
		return failure->status;
	free_pages = meminfo("HugePages_Free") - meminfo("HugePages_Rsvd");
	return fail(failure, STATUS_REFUSED, ENOMEM,
		    "%" PRIu64 " huge pages of %s are needed and %" PRIu64
		    " are free: sysctl vm.nr_hugepages reserves them",
		    length / page, size_write(page).text, free_pages);
}

static enum status make_memfd(uint64_t length, struct memory *out, struct failure *failure)
{
	out->fd = memfd_create("pinreg", MFD_CLOEXEC);
	if (out->fd < 0 || ftruncate(out->fd, (off_t)length))
		return fail(failure, STATUS_REFUSED, errno, "cannot make a memfd of %s: %s",
			    size_write(length).text, strerror(errno));
	return map(length, MAP_SHARED, out->fd, out, failure);
}

static enum status make(const struct memory_request *request, bool read_only, struct memory *out,
			struct failure *failure)
{
	if (request->file)
		return memory_of_file(request, read_only, out, failure);
	if (request->anon)
		return map(request->anon, MAP_PRIVATE | MAP_ANONYMOUS, -1, out, failure);
	if (request->hugetlb)
		return make_hugetlb(request->hugetlb, out, failure);
	return make_memfd(request->memfd, out, failure);
}

enum status memory_make(const struct memory_request *request, bool read_only, struct memory *out,
			struct failure *failure)
{
	enum status status;

	*out = (struct memory){ .map = MAP_FAILED,
				.fd = -1,
				.source = request->file	     ? "file"
					  : request->anon    ? "anon"
					  : request->hugetlb ? "hugetlb"
							     : "memfd" };
	status = make(request, read_only, out, failure);
	if (status)
		memory_free(out);
	return status;
}

void memory_free(struct memory *memory)
{
	if (memory->map != MAP_FAILED)
		munmap(memory->map, memory->map_length);
	if (memory->fd >= 0)
		close(memory->fd);
}
