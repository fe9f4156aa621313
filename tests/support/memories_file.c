/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memories_file.c -- memory that is mapped from something.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/io_uring.h>
#include <linux/memfd.h>
#include <linux/udmabuf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/memories.h"
#include "support/test.h"

#define PAGE ((size_t)4096)

/* Map fd, do to it what the row says, and close it. page: of the file. */
static bool map_descriptor(const struct memory_row *row, void *at, int fd, size_t length,
			   size_t page, struct memory *out)
{
	int flags = row->flags | (at ? MAP_FIXED : 0);
	out->mapped = mmap(at, length, row->prot, flags, fd, 0);
	if (out->mapped == MAP_FAILED) {
		int error = errno;
		out->mapped = NULL;
		close(fd);
		return memory_is_missing(out, "mmap: %s", strerror(error));
	}
	out->addr = out->mapped;
	out->length = out->mapped_length = length;
	size_t there = row->state & MEMORY_SHORT ? length / 2 : length;
	for (size_t i = 0; row->state & MEMORY_TOUCHED && i < there; i += page) {
		volatile unsigned char *byte = out->addr + i;
		if (row->prot & PROT_WRITE)
			*byte = (unsigned char)(i / page + 1);
		else
			(void)*byte;
	}
	if (row->state & MEMORY_CUT)
		test_ok(ftruncate(fd, (off_t)(length / 2)));
	if (row->state & MEMORY_EMPTIED)
		test_ok(ftruncate(fd, 0));
	close(fd);
	return true;
}

/* The size that the row wants. */
static void size_file(const struct memory_row *row, int fd, size_t length)
{
	size_t size = row->state & MEMORY_SHORT ? length / 2 : length;
	if (row->state & MEMORY_ODD_END)
		size -= 100;
	test_ok(ftruncate(fd, (off_t)size));
}

bool memory_device(const struct memory_row *row, void *at, struct memory *out)
{
	int fd = open(row->where, (row->prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return memory_is_missing(out, "%s: %s", row->where, strerror(errno));
	struct stat file;
	test_ok(fstat(fd, &file));
	size_t length = MEMORY_LENGTH;
	if (strstr(row->where, "/dax"))
		length = MEMORY_HUGE;
	else if (S_ISREG(file.st_mode) && (size_t)file.st_size < length)
		length = ((size_t)file.st_size + PAGE - 1) / PAGE * PAGE;
	return map_descriptor(row, at, fd, length, PAGE, out);
}

/* What lies behind the end of a dax device can be mapped, and not reached. */
bool memory_devdax_end(const struct memory_row *row, void *at, struct memory *out)
{
	size_t size;
	FILE *file = fopen("/sys/bus/dax/devices/dax0.0/size", "re");
	if (!file)
		return memory_is_missing(out, "there is no dax0.0");
	assert_int_equal(fscanf(file, "%zu", &size), 1);
	fclose(file);
	int fd = open("/dev/dax0.0", O_RDWR | O_CLOEXEC);
	test_ok(fd);
	out->mapped =
		mmap(at, 2 * MEMORY_HUGE, row->prot, row->flags, fd, (off_t)(size - MEMORY_HUGE));
	close(fd);
	assert_ptr_not_equal(out->mapped, MAP_FAILED);
	out->addr = out->mapped;
	out->length = out->mapped_length = 2 * MEMORY_HUGE;
	return true;
}

/* Data all over, so that a file system has blocks for it; then opened as the row maps it. */
bool memory_file(const struct memory_row *row, void *at, struct memory *out)
{
	static unsigned int number;
	unsigned char data[PAGE];
	snprintf(out->path, sizeof(out->path), "%s/memory-%d-%u", row->where, getpid(), ++number);
	int fd = open(out->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		int error = errno;
		out->path[0] = 0;
		return memory_is_missing(out, "%s: %s", row->where, strerror(error));
	}
	for (size_t i = 0; i < MEMORY_LENGTH / PAGE; i++) {
		memset(data, (int)i + 1, sizeof(data));
		assert_int_equal(pwrite(fd, data, PAGE, (off_t)(i * PAGE)), PAGE);
	}
	size_file(row, fd, MEMORY_LENGTH);
	close(fd);
	fd = open(out->path, (row->prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	test_ok(fd);
	if (row->state & (MEMORY_CUT | MEMORY_EMPTIED)) {
		close(fd);
		fd = open(out->path, O_RDWR | O_CLOEXEC);
	}
	bool made = map_descriptor(row, at, fd, MEMORY_LENGTH, PAGE, out);
	if (row->state & MEMORY_DELETED) {
		unlink(out->path);
		out->path[0] = 0;
	}
	return made;
}

static bool memfd(const struct memory_row *row, void *at, unsigned int flags, size_t page,
		  size_t length, struct memory *out)
{
	int fd = memfd_create(row->name, flags | MFD_CLOEXEC);
	if (fd < 0)
		return memory_is_missing(out, "memfd_create: %s", strerror(errno));
	size_file(row, fd, length);
	return map_descriptor(row, at, fd, length, page, out);
}

bool memory_memfd(const struct memory_row *row, void *at, struct memory *out)
{
	return memfd(row, at, 0, PAGE, MEMORY_LENGTH, out);
}

/* Two huge pages: half of it is one. */
bool memory_huge_memfd(const struct memory_row *row, void *at, struct memory *out)
{
	return memfd(row, at, MFD_HUGETLB | MFD_HUGE_2MB, MEMORY_HUGE, 2 * MEMORY_HUGE, out);
}

bool memory_system_v(const struct memory_row *row, void *at, struct memory *out)
{
	int id = shmget(IPC_PRIVATE, MEMORY_LENGTH, IPC_CREAT | 0600);
	if (id < 0)
		return memory_is_missing(out, "shmget: %s", strerror(errno));
	int flags = (at ? SHM_REMAP : 0) | (row->prot & PROT_WRITE ? 0 : SHM_RDONLY);
	void *mapped = shmat(id, at, flags);
	shmctl(id, IPC_RMID, NULL);
	assert_ptr_not_equal(mapped, (void *)-1);
	out->addr = out->mapped = mapped;
	out->length = out->mapped_length = MEMORY_LENGTH;
	return true;
}

bool memory_secret(const struct memory_row *row, void *at, struct memory *out)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);
	if (fd < 0)
		return memory_is_missing(out, "memfd_secret: %s", strerror(errno));
	test_ok(ftruncate(fd, (off_t)MEMORY_LENGTH));
	return map_descriptor(row, at, fd, MEMORY_LENGTH, PAGE, out);
}

bool memory_udmabuf(const struct memory_row *row, void *at, struct memory *out)
{
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return memory_is_missing(out, "/dev/udmabuf: %s", strerror(errno));
	int memory = memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	test_ok(memory);
	test_ok(ftruncate(memory, (off_t)MEMORY_LENGTH));
	test_ok(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK));
	struct udmabuf_create create = { .memfd = (__u32)memory, .size = MEMORY_LENGTH };
	int fd = ioctl(device, UDMABUF_CREATE, &create);
	int error = errno;
	close(memory);
	close(device);
	if (fd < 0)
		return memory_is_missing(out, "UDMABUF_CREATE: %s", strerror(error));
	return map_descriptor(row, at, fd, MEMORY_LENGTH, PAGE, out);
}

/* The first region that may be mapped. */
bool memory_pci(const struct memory_row *row, void *at, struct memory *out)
{
	glob_t found;
	bool made = false;
	if (glob("/sys/bus/pci/devices/*/resource[0-9]", 0, NULL, &found))
		return memory_is_missing(out, "no PCI device has a region");
	for (size_t i = 0; !made && i < found.gl_pathc; i++) {
		struct memory_row one = *row;
		one.where = found.gl_pathv[i];
		made = memory_device(&one, at, out);
	}
	globfree(&found);
	return made;
}

/* The rings that the kernel shares with the process. */
bool memory_io_uring(const struct memory_row *row, void *at, struct memory *out)
{
	struct io_uring_params params = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 8, &params);
	if (fd < 0)
		return memory_is_missing(out, "io_uring_setup: %s", strerror(errno));
	return map_descriptor(row, at, fd, PAGE, PAGE, out);
}
