#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# cache_messages_guest.sh -- what a cache's monitor hears of, on the lab's kernels
#
# The native tests once more: their facts differ from kernel to kernel in guard pages only,
# which came with 6.13.
set -uo pipefail

[[ -n ${PINREG_LAB-} ]] || { echo "SKIP: this runs in the lab's guest"; exit 77; }

case $(uname -r) in
6.1.* | 6.12.*) expected=$'SKIP: MADV_GUARD_INSTALL: Invalid argument' ;;
*) expected= ;;
esac
skips=
for test in cache_messages cache_monitor cache_monitor_beside cache_monitor_thread cache_heard; do
	out=$("$PINREG_BUILD_DIR/tests/test_$test") || { printf '%s\n' "$out"; exit 1; }
	printf '%s\n' "$out"
	skips+=$(grep '^SKIP: ' <<<"$out")
done
[[ $skips == "$expected" ]] || { echo "FAIL: an unexpected skip"; exit 1; }
