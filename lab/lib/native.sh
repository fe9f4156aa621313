# native.sh -- this checkout built and tested on the machine itself, outside any guest
# shellcheck shell=bash

native_dir() {
	printf '%s/native/%s\n' "$LAB_CACHE" "$(key_of "$LAB_SRC")"
}

# The options are given every time: cmake finds new sources, and ninja has little to do.
native_make() {
	cmake -G Ninja -S "$LAB_SRC" -B "$1" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPINREG_WERROR=ON
	cmake --build "$1"
}

native_build() {
	local dir
	dir=$(native_dir)
	project_exists || die "$LAB_SRC has no CMakeLists.txt: there is nothing to test."
	host_need "${HOST_NATIVE_PACKAGES[@]}"
	mkdir -p "$dir"
	printf '%s\n' "$LAB_SRC" >"$dir/source"
	(
		flock 9
		step "building natively" native_make "$dir" 9>&-
	) 9>"$LAB_CACHE/locks/native-${dir##*/}"
}

# native_ctest LABEL ARGUMENT...: ctest on the tests with that label
native_ctest() {
	local label=$1
	shift
	ctest --test-dir "$(native_dir)" -L "^$label\$" "$@"
}
