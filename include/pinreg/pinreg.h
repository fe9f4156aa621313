/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pinreg.h -- all of libpinreg.
 */
#ifndef PINREG_PINREG_H
#define PINREG_PINREG_H

#include <pinreg/backing.h>
#include <pinreg/cache.h>
#include <pinreg/descriptor.h>
#include <pinreg/domain.h>
#include <pinreg/event.h>
#include <pinreg/file.h>
#include <pinreg/plan.h>
#include <pinreg/prepare.h>
#include <pinreg/reason.h>
#include <pinreg/region.h>
#include <pinreg/renew.h>
#include <pinreg/version.h>
#include <pinreg/window.h>

#endif
