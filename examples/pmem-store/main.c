/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c -- the command line.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "format.h"
#include "plain.h"
#include "say.h"
#include "server.h"

static const char usage_text[] =
	"usage: pmem-store serve FILE... [--size BYTES[K|M|G]] [--addr A] [--port P]\n"
	"                  [--mirror PATH... | --no-mirror] [--granularity page|byte]\n"
	"       pmem-store put NAME < data      pmem-store get NAME > data\n"
	"       pmem-store ls                   pmem-store rm NAME\n"
	"       pmem-store put-files < paths    pmem-store get-all DIRECTORY\n"
	"       pmem-store try-plain FILE\n"
	"\n"
	"--size is that of each FILE, --mirror is given once for each, in their order.\n"
	"Clients take --addr A (or PMEM_STORE_ADDR), --port P (or PMEM_STORE_PORT) and\n"
	"--patience SECONDS, for how long an interrupted operation is tried again.\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 usage, 3 the file or the device was refused.\n";

struct options {
	const char *addr;
	uint16_t port;
	uint64_t size;
	const char *mirrors[SERVE_FILES];
	unsigned int mirror_count;
	bool no_mirror;
	enum pinreg_granularity granularity;
	unsigned int patience;
};

static int usage(const char *problem)
{
	if (problem)
		complain("%s", problem);
	fputs(usage_text, stderr);
	return EXIT_USAGE;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *value, char **end)
{
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, end, 10);
	return errno == 0 && *value <= most;
}

static bool parse_plain(const char *text, uint64_t most, uint64_t *value)
{
	char *end;

	return parse_number(text, most, value, &end) && *end == '\0';
}

static bool parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMG";
	uint64_t unit = 1;
	const char *at;
	char *end;

	if (!parse_number(text, INT64_MAX, size, &end))
		return false;
	at = *end ? strchr(units, *end) : NULL;
	if (*end && (!at || end[1] != '\0'))
		return false;
	if (at)
		unit = 1ull << (10 * (at - units + 1));
	if (*size > INT64_MAX / unit)
		return false;
	*size *= unit;
	return *size >= FORMAT_MIN_SIZE && *size % FORMAT_PAGE == 0;
}

static bool parse_granularity(const char *text, enum pinreg_granularity *granularity)
{
	bool page = strcmp(text, "page") == 0;

	*granularity = page ? PINREG_GRANULARITY_PAGE : PINREG_GRANULARITY_BYTE;
	return page || strcmp(text, "byte") == 0;
}

static const char *parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "addr", required_argument, NULL, 'a' },
		{ "port", required_argument, NULL, 'p' },
		{ "size", required_argument, NULL, 's' },
		{ "mirror", required_argument, NULL, 'm' },
		{ "no-mirror", no_argument, NULL, 'n' },
		{ "granularity", required_argument, NULL, 'g' },
		{ "patience", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint64_t number;
	int option;

	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case 'a':
			options->addr = optarg;
			break;
		case 'p':
			if (!parse_plain(optarg, UINT16_MAX, &number) || number == 0)
				return "--port: a number from 1 to 65535";
			options->port = (uint16_t)number;
			break;
		case 's':
			if (!parse_size(optarg, &options->size))
				return "--size: at least 256K, whole pages of 4096 bytes";
			break;
		case 'm':
			if (options->mirror_count == SERVE_FILES)
				return "--mirror: once for each FILE";
			options->mirrors[options->mirror_count++] = optarg;
			break;
		case 'n':
			options->no_mirror = true;
			break;
		case 'g':
			if (!parse_granularity(optarg, &options->granularity))
				return "--granularity: page or byte";
			break;
		case 't':
			if (!parse_plain(optarg, 86400, &number))
				return "--patience: seconds";
			options->patience = (unsigned int)number;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(EXIT_SUCCESS);
		default:
			return "";
		}
	}
	if (options->mirror_count && options->no_mirror)
		return "--mirror and --no-mirror are two things";
	return NULL;
}

/* Where its mirror is, and where what it has with or without --no-mirror. */
static const char *follow(const char *path, const char *mirror, bool no_mirror,
			  struct serve_file *file)
{
	char *beside = NULL;
	char *index = NULL;

	if (asprintf(&beside, "%s.mirror", path) < 0)
		beside = NULL;
	if (asprintf(&index, "%s.index", path) < 0)
		index = NULL;
	if (mirror) {
		free(beside);
		beside = strdup(mirror);
	}
	*file = (struct serve_file){ .path = path,
				     .mirror_path = no_mirror ? index : beside,
				     .other_path = no_mirror ? beside : index };
	if (!beside || !index)
		return "no memory";
	return strcmp(beside, index) == 0 ? "--mirror: that is where --no-mirror keeps the index"
					  : NULL;
}

static int serve(char **paths, unsigned int count, const struct options *options)
{
	struct serve_options serve_options = { .count = count,
					       .size = options->size,
					       .addr = options->addr,
					       .port = options->port,
					       .granularity = options->granularity,
					       .index_only = options->no_mirror };
	const char *problem = NULL;
	int status;

	if (options->mirror_count && options->mirror_count != count)
		return usage("--mirror: once for each FILE");
	for (unsigned int i = 0; !problem && i < count; i++)
		problem = follow(paths[i], options->mirrors[i], options->no_mirror,
				 &serve_options.files[i]);
	status = problem ? usage(problem) : server_run(&serve_options);
	for (unsigned int i = 0; i < count; i++) {
		free(serve_options.files[i].mirror_path);
		free(serve_options.files[i].other_path);
	}
	return status;
}

static int run_client(const char *command, const char *argument, const struct options *options)
{
	struct client client;
	int status;

	if (!options->addr)
		return usage("no server: --addr or PMEM_STORE_ADDR");
	client_init(&client, options->addr, options->port, options->patience);
	if (strcmp(command, "put") == 0)
		status = command_put(&client, argument);
	else if (strcmp(command, "get") == 0)
		status = command_get(&client, argument);
	else if (strcmp(command, "rm") == 0)
		status = command_rm(&client, argument);
	else if (strcmp(command, "ls") == 0)
		status = command_ls(&client);
	else if (strcmp(command, "put-files") == 0)
		status = command_put_files(&client);
	else
		status = command_get_all(&client, argument);
	client_close(&client);
	return status;
}

static const struct command {
	const char *name;
	int least; /* arguments */
	int most;
	bool takes_name;
} commands[] = {
	{ "serve", 1, SERVE_FILES, false },
	{ "put", 1, 1, true },
	{ "get", 1, 1, true },
	{ "rm", 1, 1, true },
	{ "ls", 0, 0, false },
	{ "put-files", 0, 0, false },
	{ "get-all", 1, 1, false },
	{ "try-plain", 1, 1, false },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct options options = { .addr = getenv("PMEM_STORE_ADDR"),
				   .port = WIRE_DEFAULT_PORT,
				   .granularity = PINREG_GRANULARITY_PAGE,
				   .patience = 60 };
	const char *port = getenv("PMEM_STORE_PORT");
	const char *problem = parse_options(argc, argv, &options);
	const struct command *command;
	const char *argument;
	uint64_t number;

	if (problem)
		return usage(*problem ? problem : NULL);
	if (optind >= argc)
		return usage(NULL);
	if (port && options.port == WIRE_DEFAULT_PORT && parse_plain(port, UINT16_MAX, &number) &&
	    number > 0)
		options.port = (uint16_t)number;
	command = find_command(argv[optind]);
	if (!command)
		return usage("unknown command");
	if (argc - optind - 1 < command->least || argc - optind - 1 > command->most)
		return usage("wrong number of arguments");
	argument = argv[optind + 1];
	if (command->takes_name && !format_name_ok(argument, strlen(argument)))
		return usage("NAME: 1 to 191 bytes, a relative path without \".\" and \"..\"");
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(command->name, "try-plain") == 0)
		return plain_try(argument);
	if (strcmp(command->name, "serve") == 0)
		return serve(argv + optind + 1, (unsigned int)(argc - optind - 1), &options);
	return run_client(command->name, argument, &options);
}
