/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps_text.h -- the memory map as text, for kernels without the ioctl.
 */
#ifndef PINREG_SYS_MAPS_TEXT_H
#define PINREG_SYS_MAPS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "sys/maps.h"

/*
 * Read one line of /proc/PID/maps from at most len bytes. *used becomes the
 * length of the line with its end, also where the line is no mapping. A name
 * that does not fit is left empty: a part of it would be another file's.
 * page_size stays 0. ASSUMPTIONS: len > 0. 0, or -EBADMSG.
 */
int pinreg_maps_parse_line(const char *text, size_t len, size_t *used, struct pinreg_mapping *out);

/* The whole text in memory that the caller frees. 0, or -errno. */
int pinreg_maps_read_text(char **text, size_t *length);

/* For tests: behave as if the kernel did not have the ioctl. Whole process. */
void pinreg_maps_force_text(bool force);

#endif
