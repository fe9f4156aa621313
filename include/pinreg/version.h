/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * version.h -- which version this is.
 */
#ifndef PINREG_VERSION_H
#define PINREG_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define PINREG_VERSION_MAJOR 0
#define PINREG_VERSION_MINOR 1
#define PINREG_VERSION_PATCH 0

/*
 * pinreg_version -- the version of the library that was loaded, "0.1.0".
 * Return: a constant string. Thread: any. Since: 0.1
 */
const char *pinreg_version(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
