#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# boot_again.sh -- a kernel that dies while it boots is booted again, in plain words
#
# The first QEMU that is asked for dies at once, as an emulated CPU now and then kills a
# kernel; what comes after it is the real one.
set -euo pipefail
shopt -s inherit_errexit

LAB=$(cd "$(dirname "$0")/../.." && pwd)/lab/lab
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
real=$(command -v qemu-system-x86_64)

fail() {
	printf 'FAIL: %s\n' "$*"
	cat "$WORK/log"
	exit 1
}

# A guest that is to die N times.
boot_that_dies() {
	printf '%s\n' "$1" >"$WORK/left"
	cat >"$WORK/qemu-system-x86_64" <<-EOF
		#!/bin/bash
		left=\$(<"$WORK/left")
		((left == 0)) || { echo \$((left - 1)) >"$WORK/left"; exit 1; }
		exec "$real" "\$@"
	EOF
	chmod +x "$WORK/qemu-system-x86_64"
	status=0
	PATH=$WORK:$PATH PINREG_LAB_ACCEL=tcg "$LAB" run --bare -- echo it-runs >"$WORK/out" 2>"$WORK/log" || status=$?
}

boot_that_dies 1
((status == 0)) || fail "status $status after one death"
grep -qx it-runs "$WORK/out" || fail "the command did not run"
grep -q 'booted again' "$WORK/log" || fail "nothing was said about it"

boot_that_dies 3
((status == 125)) || fail "status $status after three deaths, expected 125"
[[ $(<"$WORK/left") == 0 ]] || fail "it gave up with $(<"$WORK/left") deaths to go"
echo "booted again after one death, given up after three"
