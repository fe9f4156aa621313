#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the shared library exports is what the symbol map lists and what the
# public headers declare: neither less nor more.
set -euo pipefail
export LC_ALL=C

library=$PINREG_BUILD_DIR/libpinreg/libpinreg.so
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# the version node itself is an absolute symbol
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
	sort >"$scratch/library"
sed -n 's/^[[:space:]]*\(pinreg_[a-z0-9_]*\);$/\1/p' "$PINREG_SOURCE_DIR/libpinreg/pinreg.map" |
	sort >"$scratch/map"
# a declaration begins at the start of a line, and its name is what the first
# parenthesis follows; a pointer to a function has another one before its name
cat "$PINREG_SOURCE_DIR"/include/pinreg/*.h |
	sed -n '/^typedef/d; s/^[a-z][a-z0-9_ ]*[ *]\(pinreg_[a-z0-9_]*\)(.*/\1/p' |
	sort >"$scratch/headers"

status=0
compare() {
	if [ ! -s "$scratch/$1" ] || ! diff -u "$scratch/map" "$scratch/$1" >"$scratch/diff"; then
		echo "the symbol map (-) and the $1 (+) differ:"
		sed 1,3d "$scratch/diff"
		status=1
	fi
}
compare library
compare headers
echo "$(wc -l <"$scratch/map") symbols in the map"
exit $status
