/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapped_file.c -- what is known of the file behind a mapping.
 *
 * The map has a name, an inode and a device. The name is only a hint: the file
 * may have been renamed, deleted or replaced since. Whatever is found is held
 * against inode and device before anything is believed.
 *
 * Everything is opened with O_PATH: that breaks no lease, and closing it drops
 * no record lock, as closing a real descriptor of the same file would.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys/internal_mounts.h"
#include "sys/real.h"

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif
#ifndef SECRETMEM_MAGIC
#define SECRETMEM_MAGIC 0x5345434d
#endif

/* Where only the size is at stake a process with very many files is not searched. */
#define DESCRIPTORS_FOR_A_SIZE 1024

static bool name_is(const struct pinreg_mapping *mapping, const char *name)
{
	return !strcmp(mapping->name, name);
}

static bool name_begins(const struct pinreg_mapping *mapping, const char *start)
{
	return !strncmp(mapping->name, start, strlen(start));
}

/*
 * Is it the file of the mapping? btrfs gives each subvolume, and overlayfs each
 * layer, a device number in stat() that the map does not show: there the inode
 * has to do.
 */
static bool is_same(const struct statx *file, const struct statfs *filesystem,
		    const struct pinreg_mapping *mapping)
{
	if (file->stx_ino != mapping->inode)
		return false;
	if (file->stx_dev_major == mapping->dev_major && file->stx_dev_minor == mapping->dev_minor)
		return true;
	return filesystem->f_type == BTRFS_SUPER_MAGIC ||
	       filesystem->f_type == OVERLAYFS_SUPER_MAGIC;
}

/* A number that the dax subsystem tells of a device; 0 where it does not. */
static uint64_t devdax_number(const struct statx *file, const char *name)
{
	char path[64];
	char text[32] = "";
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/%s", file->stx_rdev_major,
		 file->stx_rdev_minor, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	return got > 0 ? strtoull(text, NULL, 10) : 0;
}

static bool is_devdax(unsigned int dev_major, unsigned int dev_minor)
{
	char path[64];
	char target[PATH_MAX];
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/subsystem", dev_major, dev_minor);
	ssize_t length = readlink(path, target, sizeof(target));
	return length >= 4 && !memcmp(target + length - 4, "/dax", 4);
}

static void fill_device(const struct statx *file, struct pinreg_mapped_file *out)
{
	out->device = true;
	out->sized = false;
	/* a private mapping of /dev/zero is ordinary memory under that name */
	if (file->stx_rdev_major == 1 && file->stx_rdev_minor == 5) {
		out->device = false;
		out->anonymous = true;
	} else if (is_devdax(file->stx_rdev_major, file->stx_rdev_minor)) {
		out->devdax = true;
		/* its page size is the device's alignment */
		out->page_size = (unsigned int)devdax_number(file, "align");
		out->size = devdax_number(file, "size");
		out->sized = out->size != 0;
	}
}

/* Files there are windows to the kernel and to devices: PCI regions, for one. */
static bool is_of_kernel(const struct statfs *filesystem)
{
	static const long magics[] = { SYSFS_MAGIC,   PROC_SUPER_MAGIC, DEBUGFS_MAGIC,
				       TRACEFS_MAGIC, SECURITYFS_MAGIC, BPF_FS_MAGIC };
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (filesystem->f_type == magics[i])
			return true;
	return false;
}

static void fill(const struct statx *file, const struct statfs *filesystem,
		 struct pinreg_mapped_file *out)
{
	memset(out, 0, sizeof(*out));
	out->size = file->stx_size;
	out->sized = true;
	if (filesystem->f_type == SECRETMEM_MAGIC) {
		out->secret = true;
	} else if (S_ISCHR(file->stx_mode)) {
		fill_device(file, out);
	} else if (!S_ISREG(file->stx_mode) || is_of_kernel(filesystem)) {
		out->device = true; /* dma-buf, ring buffers of the kernel */
	} else if (filesystem->f_type == HUGETLBFS_MAGIC) {
		out->hugetlb = true;
		out->page_size = (unsigned int)filesystem->f_bsize;
	} else if (filesystem->f_type == TMPFS_MAGIC) {
		out->shmem = true;
	} else if (!(file->stx_attributes_mask & STATX_ATTR_DAX)) {
		return; /* a kernel that cannot tell: page cache would be a guess */
	} else {
		out->dax = file->stx_attributes & STATX_ATTR_DAX;
	}
	out->found = true;
}

/* Look at path; false if there is nothing, or another file. */
static bool look(const char *path, int flags, const struct pinreg_mapping *mapping,
		 struct pinreg_mapped_file *out)
{
	int fd = open(path, O_PATH | O_CLOEXEC | flags);
	if (fd < 0)
		return false;
	struct statx file;
	struct statfs filesystem;
	bool same = !statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &file) &&
		    !fstatfs(fd, &filesystem) && is_same(&file, &filesystem, mapping);
	close(fd);
	if (same)
		fill(&file, &filesystem, out);
	return same;
}

static bool look_by_name(const struct pinreg_mapping *mapping, struct pinreg_mapped_file *out)
{
	return mapping->name[0] == '/' && look(mapping->name, O_NOFOLLOW, mapping, out);
}

/* Leads to the file itself, deleted or not, but takes CAP_CHECKPOINT_RESTORE. */
static bool look_by_address(const struct pinreg_mapping *mapping, struct pinreg_mapped_file *out)
{
	char path[80];
	snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, mapping->start,
		 mapping->end);
	return look(path, 0, mapping, out);
}

/* Is it still open here? stat first: most descriptors are something else. */
static bool look_by_descriptor(const struct pinreg_mapping *mapping, unsigned int limit,
			       struct pinreg_mapped_file *out)
{
	DIR *descriptors = opendir("/proc/thread-self/fd");
	if (!descriptors)
		return false;
	bool found = false;
	const struct dirent *entry;
	while (!found && limit-- && (entry = readdir(descriptors))) {
		struct stat file;
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    fstat(atoi(entry->d_name), &file) || file.st_ino != mapping->inode)
			continue;
		char path[64];
		snprintf(path, sizeof(path), "/proc/thread-self/fd/%.20s", entry->d_name);
		found = look(path, 0, mapping, out);
	}
	closedir(descriptors);
	return found;
}

/* On one of the kernel's own mounts the device number alone says what it is. */
static void look_at_internal(const struct pinreg_mapping *mapping,
			     const struct pinreg_internal_mount *mount,
			     struct pinreg_mapped_file *out)
{
	struct pinreg_mapped_file file;
	bool sized = look_by_address(mapping, &file) ||
		     (name_begins(mapping, "/memfd:") &&
		      look_by_descriptor(mapping, DESCRIPTORS_FOR_A_SIZE, &file));
	*out = (struct pinreg_mapped_file){
		.found = true,
		.internal = true,
		.hugetlb = mount->hugetlb,
		.shmem = !mount->hugetlb,
		/* MAP_HUGETLB without a file; a memfd's name begins otherwise */
		.anonymous = mount->hugetlb && name_is(mapping, "/anon_hugepage (deleted)"),
		.page_size = mount->page_size,
		.sized = sized,
		.size = sized ? file.size : 0,
	};
}

/* What the kernel maps through files that are none: their names are no paths. */
static bool look_at_kernel_name(const struct pinreg_mapping *mapping,
				struct pinreg_mapped_file *out)
{
	bool secret = mapping->dev_major == 0 && name_is(mapping, "/secretmem (deleted)");
	bool object = mapping->name[0] && mapping->name[0] != '/' && mapping->name[0] != '[';
	*out = (struct pinreg_mapped_file){ .found = true, .secret = secret, .device = object };
	return secret || object;
}

void pinreg_real_mapped_file(const struct pinreg_mapping *mapping, struct pinreg_mapped_file *out)
{
	const struct pinreg_internal_mount *mount =
		pinreg_internal_mount_find(mapping->dev_major, mapping->dev_minor);
	if (mount) {
		look_at_internal(mapping, mount, out);
		return;
	}
	if (look_by_name(mapping, out) || look_by_address(mapping, out) ||
	    look_by_descriptor(mapping, UINT32_MAX, out) || look_at_kernel_name(mapping, out))
		return;
	memset(out, 0, sizeof(*out));
}
