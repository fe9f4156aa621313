/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands.c -- what a user can ask a server for.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

/* All of a descriptor that may be a pipe. The caller frees it. */
static void *read_all(int fd, uint64_t *length)
{
	size_t room = 1u << 20;
	uint8_t *data = malloc(room);
	size_t have = 0;

	while (data) {
		ssize_t got = read(fd, data + have, room - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(data);
			return NULL;
		}
		if (got == 0)
			break;
		have += (size_t)got;
		if (have == room) {
			uint8_t *more = realloc(data, room * 2);

			if (!more)
				free(data);
			data = more;
			room *= 2;
		}
	}
	*length = have;
	return data;
}

static bool write_all(int fd, const uint8_t *data, uint64_t length)
{
	while (length > 0) {
		ssize_t put = write(fd, data, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		data += put;
		length -= (uint64_t)put;
	}
	return true;
}

int command_put(struct client *client, const char *name)
{
	uint64_t length;
	void *data = read_all(STDIN_FILENO, &length);
	bool ok;

	if (!data) {
		complain("put %s: reading: %s", name, strerror(errno));
		return 1;
	}
	ok = client_put(client, name, data, length);
	free(data);
	return ok ? 0 : 1;
}

int command_get(struct client *client, const char *name)
{
	uint64_t length;
	void *data;
	bool ok;

	if (!client_get(client, name, &data, &length))
		return 1;
	ok = write_all(STDOUT_FILENO, data, length);
	free(data);
	if (!ok)
		complain("get %s: writing: %s", name, strerror(errno));
	return ok ? 0 : 1;
}

int command_ls(struct client *client)
{
	char text[CHECKSUM_TEXT];
	struct entry *entries;
	size_t count;

	if (!client_list(client, &entries, &count))
		return 1;
	for (size_t i = 0; i < count; i++) {
		checksum_text(&entries[i].sum, text);
		printf("%12llu  %s  %s%s\n", (unsigned long long)entries[i].length, text,
		       entries[i].name, entries[i].flags & ENTRY_DESTROYED ? "  DESTROYED" : "");
	}
	free(entries);
	return fflush(stdout) == 0 ? 0 : 1;
}

int command_rm(struct client *client, const char *name)
{
	return client_remove(client, name) ? 0 : 1;
}

static bool put_file(struct client *client, const char *path, uint64_t *bytes)
{
	const char *name = path + strspn(path, "/");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *data = fd >= 0 ? read_all(fd, bytes) : NULL;
	bool ok = false;

	if (!data)
		complain("%s: %s", path, strerror(errno));
	else if (!format_name_ok(name, strlen(name)))
		complain("%s: this cannot be the name of an object", path);
	else
		ok = client_put(client, name, data, *bytes);
	free(data);
	if (fd >= 0)
		close(fd);
	return ok;
}

int command_put_files(struct client *client)
{
	uint64_t objects = 0;
	uint64_t bytes = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t got;
	bool ok = true;

	while (ok && (got = getline(&line, &room, stdin)) > 0) {
		uint64_t length = 0;

		line[strcspn(line, "\n")] = '\0';
		ok = put_file(client, line, &length);
		objects += ok;
		bytes += ok ? length : 0;
	}
	free(line);
	say("%llu objects, %llu bytes put", (unsigned long long)objects, (unsigned long long)bytes);
	return ok ? 0 : 1;
}

/* Make the directories of a path; format_name_ok() has seen to its components. */
static bool make_directories(int root, const char *name)
{
	char path[FORMAT_NAME + 1];

	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t length = (size_t)(slash - name);

		memcpy(path, name, length);
		path[length] = '\0';
		if (mkdirat(root, path, 0755) != 0 && errno != EEXIST)
			return false;
	}
	return true;
}

static bool get_file(struct client *client, int root, const struct entry *entry, uint64_t *bytes)
{
	void *data = NULL;
	bool ok;
	int fd;

	if (!client_get(client, entry->name, &data, bytes))
		return false;
	ok = make_directories(root, entry->name);
	fd = ok ? openat(root, entry->name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			 0644)
		: -1;
	ok = fd >= 0 && write_all(fd, data, *bytes);
	if (!ok)
		complain("%s: %s", entry->name, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(data);
	return ok;
}

int command_get_all(struct client *client, const char *directory)
{
	int root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct entry *entries;
	uint64_t objects = 0;
	uint64_t bytes = 0;
	size_t count;

	if (root < 0) {
		complain("%s: %s", directory, strerror(errno));
		return 1;
	}
	if (!client_list(client, &entries, &count)) {
		close(root);
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t length = 0;

		if (!get_file(client, root, &entries[i], &length))
			continue;
		objects++;
		bytes += length;
	}
	free(entries);
	close(root);
	say("%llu of %zu objects, %llu bytes read back", (unsigned long long)objects, count,
	    (unsigned long long)bytes);
	return objects == count ? 0 : 1;
}
