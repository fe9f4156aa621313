#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The installed tree is complete: a C and a C++ program are built against it
# with pkg-config, one with CMake, and all of them run.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix
if ! cmake --install "$PINREG_BUILD_DIR" --prefix "$prefix" >"$scratch/install.log" 2>&1; then
	cat "$scratch/install.log"
	exit 1
fi

pc=$(find "$prefix" -name pinreg.pc)
libdir=$(dirname "$(dirname "$pc")")
# pinreg.pc was made for the prefix of the build; this tree lies elsewhere
flags() {
	PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config --define-variable=prefix="$prefix" \
		--define-variable=libdir="$libdir" \
		--define-variable=includedir="$prefix/include" "$@" pinreg
}
sanitize=$(sed -n 's/^PINREG_SANITIZE:STRING=\(..*\)/-fsanitize=\1/p' "$PINREG_BUILD_DIR/CMakeCache.txt")
version=$(flags --modversion)

mkdir "$scratch/consumer"
cat >"$scratch/consumer/main.c" <<'END'
#include <stdio.h>

#include <pinreg/pinreg.h>

int main(void)
{
	puts(pinreg_version());
	return 0;
}
END
cp "$scratch/consumer/main.c" "$scratch/consumer/main.cpp"
cat >"$scratch/consumer/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(pinreg REQUIRED)
add_executable(consumer main.c)
target_link_libraries(consumer PRIVATE pinreg::pinreg)
END

check() {
	local said
	said=$(LD_LIBRARY_PATH=$libdir "$2")
	if [ "$said" != "$version" ]; then
		echo "$1: says $said, but pinreg.pc says $version"
		exit 1
	fi
	echo "$1: $said"
}

# shellcheck disable=SC2046,SC2086 # lists of options
cc -std=c99 -pedantic -Wall -Wextra -Werror $sanitize "$scratch/consumer/main.c" -o "$scratch/as-c" \
	$(flags --cflags --libs)
check "C" "$scratch/as-c"

# shellcheck disable=SC2046,SC2086
c++ -std=c++11 -pedantic -Wall -Wextra -Werror $sanitize "$scratch/consumer/main.cpp" \
	-o "$scratch/as-c++" $(flags --cflags --libs)
check "C++" "$scratch/as-c++"

for step in "-S $scratch/consumer -B $scratch/build -DCMAKE_PREFIX_PATH=$prefix -DCMAKE_C_FLAGS=$sanitize" \
	"--build $scratch/build"; do
	# shellcheck disable=SC2086
	if ! cmake $step >"$scratch/cmake.log" 2>&1; then
		cat "$scratch/cmake.log"
		exit 1
	fi
done
check "CMake" "$scratch/build/consumer"
