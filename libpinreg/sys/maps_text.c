/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps_text.c -- the memory map as text, for kernels without the ioctl.
 *
 *	7f01a000-7f01c000 rw-s 00002000 fe:01 1234    /a path to the end of the line
 */
#include "sys/maps_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pinreg/backing.h>

#include "sys/maps_descriptor.h"

/* Enough for a few hundred mappings; it doubles from there. */
#define FIRST_BUFFER 65536

/* What is left of a line. */
struct cursor {
	const char *at;
	const char *end;
};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A number of at least one digit that fits into max. */
static bool take_number(struct cursor *line, unsigned int base, uint64_t max, uint64_t *out)
{
	const char *start = line->at;
	uint64_t value = 0;
	for (; line->at < line->end; line->at++) {
		int digit = digit_value(*line->at);
		if (digit < 0 || (unsigned int)digit >= base)
			break;
		if (value > (max - (unsigned int)digit) / base)
			return false;
		value = value * base + (unsigned int)digit;
	}
	*out = value;
	return line->at > start;
}

static bool take_char(struct cursor *line, char wanted)
{
	if (line->at == line->end || *line->at != wanted)
		return false;
	line->at++;
	return true;
}

/* "rwxp": read, write, execute, private or shared. */
static bool take_rights(struct cursor *line, struct pinreg_mapping *out)
{
	if (line->end - line->at < 4)
		return false;
	const char *rights = line->at;
	if (!memchr("r-", rights[0], 2) || !memchr("w-", rights[1], 2) ||
	    !memchr("x-", rights[2], 2) || !memchr("ps", rights[3], 2))
		return false;
	out->prot = (rights[0] == 'r' ? PINREG_PROT_READ : 0) |
		    (rights[1] == 'w' ? PINREG_PROT_WRITE : 0);
	out->shared = rights[3] == 's';
	line->at += 4;
	return true;
}

/*
 * The rest of the line. The kernel writes a newline in a path as \012 and
 * nothing else so: it leaves a backslash alone.
 */
static void take_name(struct cursor *line, char *name, size_t room)
{
	static const char newline[] = { '\\', '0', '1', '2' };
	size_t length = 0;
	while (line->at < line->end && *line->at == ' ')
		line->at++;
	while (line->at < line->end && length < room) {
		size_t left = (size_t)(line->end - line->at);
		if (left >= sizeof(newline) && !memcmp(line->at, newline, sizeof(newline))) {
			name[length++] = '\n';
			line->at += sizeof(newline);
		} else {
			name[length++] = *line->at++;
		}
	}
	name[length < room ? length : 0] = '\0';
}

int pinreg_maps_parse_line(const char *text, size_t len, size_t *used, struct pinreg_mapping *out)
{
	const char *newline = memchr(text, '\n', len);
	size_t length = newline ? (size_t)(newline - text) : len;
	*used = newline ? length + 1 : len;

	struct cursor line = { text, text + length };
	uint64_t major, minor;
	bool good = take_number(&line, 16, UINT64_MAX, &out->start) && take_char(&line, '-') &&
		    take_number(&line, 16, UINT64_MAX, &out->end) && take_char(&line, ' ') &&
		    take_rights(&line, out) && take_char(&line, ' ') &&
		    take_number(&line, 16, UINT64_MAX, &out->file_offset) &&
		    take_char(&line, ' ') && take_number(&line, 16, UINT32_MAX, &major) &&
		    take_char(&line, ':') && take_number(&line, 16, UINT32_MAX, &minor) &&
		    take_char(&line, ' ') && take_number(&line, 10, UINT64_MAX, &out->inode) &&
		    (line.at == line.end || *line.at == ' ') && out->start < out->end;
	if (!good)
		return -EBADMSG;
	out->dev_major = (unsigned int)major;
	out->dev_minor = (unsigned int)minor;
	out->page_size = 0;
	take_name(&line, out->name, sizeof(out->name));
	return 0;
}

/* Read to the end into a growing buffer. 0, or -errno. */
static int read_all(int fd, char **text, size_t *length)
{
	size_t room = 0;
	for (;;) {
		if (*length == room) {
			room = room ? 2 * room : FIRST_BUFFER;
			char *larger = realloc(*text, room);
			if (!larger)
				return -ENOMEM;
			*text = larger;
		}
		ssize_t got = read(fd, *text + *length, room - *length);
		if (got == 0)
			return 0;
		if (got > 0)
			*length += (size_t)got;
		else if (errno != EINTR)
			return -errno;
	}
}

int pinreg_maps_read_text(char **text, size_t *length)
{
	/* not the shared descriptor: two readers would share its position */
	int fd = pinreg_maps_open();
	if (fd < 0)
		return fd;
	*text = NULL;
	*length = 0;
	int error = read_all(fd, text, length);
	close(fd);
	if (error) {
		free(*text);
		*text = NULL;
	}
	return error;
}
