/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * document.h -- the JSON that the tool prints; docs/plan.md and docs/file-commands.md
 * have its shape.
 *
 * No memory for an answer ends the program: there is nothing to give back.
 */
#ifndef TOOL_DOCUMENT_H
#define TOOL_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "words.h"

/* A document with its version and the command; command may be NULL. */
struct json_object *doc_new(const char *command);

/* Members of an object. A NULL text is null; bytes that are no UTF-8 become U+FFFD. */
struct json_object *doc_child(struct json_object *in, const char *key);
struct json_object *doc_list(struct json_object *in, const char *key);
void doc_null(struct json_object *in, const char *key);
void doc_text(struct json_object *in, const char *key, const char *text);
void doc_bool(struct json_object *in, const char *key, bool value);
void doc_number(struct json_object *in, const char *key, uint64_t value);
void doc_milliseconds(struct json_object *in, const char *key, double value);

/* UINT64_MAX, no limit, is null. */
void doc_limit(struct json_object *in, const char *key, uint64_t value);

/* A string in hex: a number of 64 bits is more than many parsers keep. */
void doc_address(struct json_object *in, const char *key, uint64_t value);

/* The name of an errno, positive or negative, or null for 0. */
void doc_errno(struct json_object *in, const char *key, int error);

/* A list of words. */
void doc_words(struct json_object *in, const char *key, const struct word *table,
	       unsigned int bits);

/* Elements of a list. */
struct json_object *doc_element(struct json_object *list);
void doc_element_text(struct json_object *list, const char *text);

/* Print a document to stdout and give it back. */
void doc_print(struct json_object *document);

#endif
