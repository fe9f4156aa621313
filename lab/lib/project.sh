# project.sh -- this checkout's library, built in the guests' userland at the speed of the host
# shellcheck shell=bash

PROJECT_CMAKE=(-G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPINREG_WERROR=ON -DCMAKE_INSTALL_PREFIX=/usr/local)

# Each checkout has its own, so that two of them can be worked on at once.
project_dir() {
	printf '%s/library/%s\n' "$LAB_CACHE" "$(key_of "$LAB_SRC" "$LAB_HOME/lib/project.sh" "$(userland_dir)")"
}

project_exists() {
	[[ -f $LAB_SRC/CMakeLists.txt ]]
}

# in_project COMMAND...: in the userland, with the checkout, the build tree and the result
in_project() {
	local tree
	tree=$(project_dir)/tree
	in_userland --ro "$LAB_SRC" /src --rw "$tree" /opt/pinreg --rw "$tree/local" /usr/local -- "$@"
}

# The build tree stays from run to run; ninja redoes what changed. What is installed is
# redone from nothing, or files that the project no longer has would stay.
project_make() {
	[[ -f $1/tree/build/build.ninja ]] || in_project cmake -S /src -B /opt/pinreg/build "${PROJECT_CMAKE[@]}"
	in_project cmake --build /opt/pinreg/build
	in_project sh -ec 'find /usr/local -mindepth 1 -delete
		cmake --install /opt/pinreg/build >/dev/null
		ldconfig -C /opt/pinreg/ld.so.cache'
}

# The drive is what a guest mounts on /opt/pinreg.
project_drive() {
	rm -f "$1/library.img.part"
	: >"$1/library.img.part"
	image_of "$1/tree" "$1/library.img.part" 128
	mv "$1/library.img.part" "$1/library.img"
}

# project_build: leaves the drive's path in PROJECT_DRIVE; a guest that booted with an older
# one keeps it open and is not disturbed.
project_build() {
	local dir
	PROJECT_DRIVE=
	if ! project_exists; then
		say "the checkout has no CMakeLists.txt: guests run without the library."
		return 0
	fi
	dir=$(project_dir)
	mkdir -p "$dir/tree/build" "$dir/tree/local"
	# for lab clean
	printf '%s\n' "$LAB_SRC" >"$dir/source"
	userland_dir >"$dir/userland"
	(
		flock 9
		step "building the library" project_make "$dir" 9>&-
		step "making its drive" project_drive "$dir" 9>&-
	) 9>"$LAB_CACHE/locks/library-${dir##*/}"
	# shellcheck disable=SC2034 # for callers
	PROJECT_DRIVE=$dir/library.img
}
