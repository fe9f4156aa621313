#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# iouring_guest.sh -- the second opinion of io_uring on the lab's kernels
#
# The native machine may forbid io_uring, and its tests are skipped there. These kernels do
# not: a case that skips has lost something, but for guard pages, which came with 6.13.
set -uo pipefail

[[ -n ${PINREG_LAB-} ]] || { echo "SKIP: this runs in the lab's guest"; exit 77; }
out=$("$PINREG_BUILD_DIR/tests/test_iouring") || { printf '%s\n' "$out"; exit 1; }
printf '%s\n' "$out"

case $(uname -r) in
6.1.* | 6.12.*) expected=$'SKIP: MADV_GUARD_INSTALL: Invalid argument' ;;
*) expected= ;;
esac
[[ $(grep '^SKIP: ' <<<"$out") == "$expected" ]] || { echo "FAIL: an unexpected skip"; exit 1; }
