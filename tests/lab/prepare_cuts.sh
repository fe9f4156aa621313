#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# prepare_cuts.sh -- the power goes at ten random moments while files are prepared and sealed
#
# In the guests runs prepare_cuts.c. At each boot it recovers the two files, compares them
# with a model, and goes on until the next cut. A seed given in PINREG_CUTS_SEED is used again.
set -euo pipefail
shopt -s inherit_errexit

if [[ -n ${PINREG_LAB-} ]]; then
	echo "SKIP: this boots guests, and cannot run in one"
	exit 77
fi

project=$(cd "$(dirname "$0")/../.." && pwd)
cuts=10
steps=400 # the last one that a cut can be at
seed=${PINREG_CUTS_SEED:-$((SRANDOM % 1000000))}
RANDOM=$seed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	printf 'FAIL: %s (seed %s)\n' "$1" "$seed"
	tail -n 30 "$work/log"
	exit 1
}

# boot SEED STEPS OPTION...
boot() {
	local status=0
	"$project/lab/lab" run --kernel 7.2 --timeout 120 --pmem-dir "$work/pmem" "${@:3}" -- \
		/opt/pinreg/build/tests/prepare_cuts "$1" "$2" >"$work/log" 2>&1 || status=$?
	! grep '^WRONG' "$work/log" || fail "a file is not as it must be"
	((status == 0)) || fail "status $status"
	grep '^checked' "$work/log"
	(($(grep -c '^checked' "$work/log") == 2)) || fail "the files were not looked at"
}

printf 'seed %s\n' "$seed"
for ((cut = 1; cut <= cuts; cut++)); do
	at=$((RANDOM % steps + 1))
	printf -- '- cut %d: at step %d\n' "$cut" "$at"
	boot $((seed + cut)) $((steps + 1000)) --power-cut-on "step $at."
done
printf -- '- after the last cut\n'
boot "$seed" 0
