/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * document.c -- the JSON that the tool prints; docs/plan.md has its shape.
 */
#include "document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

#define SHAPE_VERSION 1

static void *must(void *allocated)
{
	if (!allocated) {
		fputs("pinreg: no memory for the answer\n", stderr);
		exit(STATUS_REFUSED);
	}
	return allocated;
}

static void add(struct json_object *in, const char *key, struct json_object *value)
{
	if (json_object_object_add(in, key, value))
		must(NULL);
}

struct json_object *doc_new(const char *command)
{
	struct json_object *document = must(json_object_new_object());

	doc_number(document, "version", SHAPE_VERSION);
	doc_text(document, "command", command);
	return document;
}

struct json_object *doc_child(struct json_object *in, const char *key)
{
	struct json_object *child = must(json_object_new_object());

	add(in, key, child);
	return child;
}

struct json_object *doc_list(struct json_object *in, const char *key)
{
	struct json_object *list = must(json_object_new_array());

	add(in, key, list);
	return list;
}

void doc_null(struct json_object *in, const char *key)
{
	add(in, key, NULL);
}

/* How many bytes the character at text has; 0 where it is none. */
static size_t utf8_length(const unsigned char *text)
{
	size_t length = *text < 0x80	? 1
			: *text < 0xc2	? 0
			: *text < 0xe0	? 2
			: *text < 0xf0	? 3
			: *text <= 0xf4 ? 4
					: 0;

	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, and what is above U+10FFFF */
	if ((*text == 0xe0 && text[1] < 0xa0) || (*text == 0xed && text[1] > 0x9f) ||
	    (*text == 0xf0 && text[1] < 0x90) || (*text == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

static struct json_object *string_of(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	char *clean = must(malloc(3 * strlen(text) + 1));
	char *to = clean;
	struct json_object *string;

	while (*text) {
		size_t length = utf8_length((const unsigned char *)text);

		if (length)
			memcpy(to, text, length);
		else
			memcpy(to, replacement, sizeof(replacement) - 1);
		to += length ? length : sizeof(replacement) - 1;
		text += length ? length : 1;
	}
	string = must(json_object_new_string_len(clean, (int)(to - clean)));
	free(clean);
	return string;
}

void doc_text(struct json_object *in, const char *key, const char *text)
{
	add(in, key, text ? string_of(text) : NULL);
}

void doc_bool(struct json_object *in, const char *key, bool value)
{
	add(in, key, must(json_object_new_boolean(value)));
}

void doc_number(struct json_object *in, const char *key, uint64_t value)
{
	add(in, key, must(json_object_new_uint64(value)));
}

void doc_milliseconds(struct json_object *in, const char *key, double value)
{
	char text[32];

	/* as many digits as a clock is worth */
	snprintf(text, sizeof(text), "%.3f", value);
	add(in, key, must(json_object_new_double_s(value, text)));
}

void doc_limit(struct json_object *in, const char *key, uint64_t value)
{
	if (value == UINT64_MAX)
		doc_null(in, key);
	else
		doc_number(in, key, value);
}

void doc_address(struct json_object *in, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	doc_text(in, key, text);
}

void doc_errno(struct json_object *in, const char *key, int error)
{
	doc_text(in, key, error ? strerrorname_np(abs(error)) : NULL);
}

void doc_words(struct json_object *in, const char *key, const struct word *table, unsigned int bits)
{
	struct json_object *list = doc_list(in, key);

	for (; bits; bits &= bits - 1)
		doc_element_text(list, words_first(table, bits).text);
}

struct json_object *doc_element(struct json_object *list)
{
	struct json_object *element = must(json_object_new_object());

	if (json_object_array_add(list, element))
		must(NULL);
	return element;
}

void doc_element_text(struct json_object *list, const char *text)
{
	if (json_object_array_add(list, string_of(text)))
		must(NULL);
}

void doc_print(struct json_object *document)
{
	const int style =
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;

	puts(must((void *)(uintptr_t)json_object_to_json_string_ext(document, style)));
	json_object_put(document);
}
