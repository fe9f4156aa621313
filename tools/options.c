/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c -- the options of a command, as a table.
 */
#include "options.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "size.h"

static bool is_operand(const struct option *option)
{
	return option->type == OPTION_OPERAND || option->type == OPTION_OPERANDS;
}

static const struct option *find(const struct option *table, const char *name, size_t length)
{
	for (; table->name; table++)
		if (!is_operand(table) && strlen(table->name) == length &&
		    memcmp(table->name, name, length) == 0)
			return table;
	return NULL;
}

static const struct option *find_operand(const struct option *table)
{
	while (table->name && !is_operand(table))
		table++;
	return table->name ? table : NULL;
}

/* words: "one|two|three" */
static bool read_choice(const char *words, const char *value, unsigned int *choice)
{
	size_t length = strlen(value);

	for (*choice = 0; length; (*choice)++) {
		size_t word = strcspn(words, "|");

		if (word == length && memcmp(words, value, length) == 0)
			return true;
		if (!words[word])
			return false;
		words += word + 1;
	}
	return false;
}

static enum status take(const struct option *option, const char *value, void *fields,
			struct failure *failure)
{
	char *field = (char *)fields + option->offset;
	uint64_t number = 0;
	unsigned int small = 0;
	unsigned int most;

	switch (option->type) {
	case OPTION_FLAG:
		memcpy(field, &(bool){ true }, sizeof(bool));
		return STATUS_GOOD;
	case OPTION_TEXT:
		if (!*value)
			return fail(failure, STATUS_USAGE, 0, "--%s: the value is empty",
				    option->name);
		memcpy(field, &value, sizeof(value));
		return STATUS_GOOD;
	case OPTION_SIZE:
	case OPTION_OFFSET:
		if (!size_read(value, &number))
			return fail(failure, STATUS_USAGE, 0,
				    "--%s: '%s' is no number of bytes below 2^63, such as 4096, "
				    "64K, 2M or 1G",
				    option->name, value);
		if (option->type == OPTION_SIZE && number == 0)
			return fail(failure, STATUS_USAGE, 0, "--%s: it must be more than 0 bytes",
				    option->name);
		memcpy(field, &number, sizeof(number));
		return STATUS_GOOD;
	case OPTION_PORT:
	case OPTION_COUNT:
		most = option->type == OPTION_PORT ? 255 : 1023;
		/* a size with a unit is more */
		if (!size_read(value, &number) || number < 1 || number > most)
			return fail(failure, STATUS_USAGE, 0,
				    "--%s: '%s' is no number from 1 to %u", option->name, value,
				    most);
		small = (unsigned int)number;
		break;
	case OPTION_CHOICE:
		if (!read_choice(option->value, value, &small))
			return fail(failure, STATUS_USAGE, 0, "--%s: '%s' is none of %s",
				    option->name, value, option->value);
		break;
	case OPTION_OPERAND:
	case OPTION_OPERANDS:
		return STATUS_GOOD; /* take_operand() */
	}
	memcpy(field, &small, sizeof(small));
	return STATUS_GOOD;
}

/* words: where the operands before it are, in argv. */
static enum status take_operand(const struct option *table, char **words, int count, char *word,
				void *fields, struct failure *failure)
{
	const struct option *operand = find_operand(table);
	struct operands all = { .words = words, .count = count + 1 };
	const char *one = word;

	if (!operand || *word == '-' || !*word)
		return fail(failure, STATUS_USAGE, 0, "'%s' is no option", word);
	if (operand->type == OPTION_OPERAND && count)
		return fail(failure, STATUS_USAGE, 0, "one %s is enough: '%s'", operand->name,
			    word);
	words[count] = word;
	if (operand->type == OPTION_OPERAND)
		memcpy((char *)fields + operand->offset, &one, sizeof(one));
	else
		memcpy((char *)fields + operand->offset, &all, sizeof(all));
	return STATUS_GOOD;
}

/* One option, and its value where that is the next word: *i moves on to it. */
static enum status take_option(const struct option *table, int argc, char **argv, int *i,
			       void *fields, struct failure *failure)
{
	const char *name = argv[*i] + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] ? name + length + 1 : NULL;
	const struct option *option = find(table, name, length);

	if (!option)
		return fail(failure, STATUS_USAGE, 0, "there is no option --%.*s", (int)length,
			    name);
	if (option->type == OPTION_FLAG && value)
		return fail(failure, STATUS_USAGE, 0, "--%s takes no value", option->name);
	if (option->type != OPTION_FLAG && !value) {
		/* a value that looks like an option has to come after "=" */
		if (*i + 1 == argc || strncmp(argv[*i + 1], "--", 2) == 0)
			return fail(failure, STATUS_USAGE, 0, "--%s needs a value: %s",
				    option->name, option->value);
		value = argv[++*i];
	}
	return take(option, value, fields, failure);
}

enum status options_read(const struct option *table, int argc, char **argv, void *fields,
			 struct failure *failure)
{
	const struct option *operand = find_operand(table);
	int operands = 0;

	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
			if (take_option(table, argc, argv, &i, fields, failure))
				return STATUS_USAGE;
		} else if (take_operand(table, argv, operands++, argv[i], fields, failure)) {
			return STATUS_USAGE;
		}
	}
	if (operand && !operands)
		return fail(failure, STATUS_USAGE, 0, "%s is missing", operand->name);
	return STATUS_GOOD;
}

void options_print(const struct option *table)
{
	for (; table->name; table++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s%s", is_operand(table) ? "" : "--", table->name,
			 table->value ? " " : "", table->value ? table->value : "");
		if (strlen(left) > 26)
			printf("  %s\n  %26s %s\n", left, "", table->help);
		else
			printf("  %-26s %s\n", left, table->help);
	}
}
