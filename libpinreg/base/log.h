/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h -- one callback for every line the library has to say.
 */
#ifndef PINREG_BASE_LOG_H
#define PINREG_BASE_LOG_H

#include <pinreg/domain.h>

struct pinreg_log {
	pinreg_log_function *call; /* NULL: nobody listens */
	void *context;
};

/* Keeps errno. */
void pinreg_log(const struct pinreg_log *log, enum pinreg_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
