/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.h -- structs that carry their size.
 *
 * A caller compiled against an older header passes a shorter struct: what is
 * missing is 0. One compiled against a newer header passes a longer one: that
 * is fine as long as the part unknown here is 0.
 */
#ifndef PINREG_BASE_OPTS_H
#define PINREG_BASE_OPTS_H

#include <stddef.h>

/*
 * Copy the caller's options (NULL: all defaults) into known, a struct of
 * known_size bytes that starts with its size. 0, or -EINVAL.
 */
int pinreg_opts_read(const void *user, void *known, size_t known_size);

/*
 * May an info struct of the caller's size be written? first: offset behind
 * the first field that every version has. 0, or -EINVAL.
 */
int pinreg_info_check(const void *user, size_t first);

/*
 * Write as much of known as the caller's struct has room for; its size field
 * keeps the caller's value, a tail unknown here becomes 0.
 */
void pinreg_info_write(void *user, const void *known, size_t known_size);

#endif
