# cache.sh -- the directory that holds images, keyed by what went into them
# shellcheck shell=bash

# Layout: <kind>/<name>-<key>/ for finished things, <...>.part while they are made.
# A finished directory is never changed: runs that use it need no lock.

cache_dir() {
	if [[ -z ${LAB_CACHE-} ]]; then
		LAB_CACHE=${PINREG_LAB_DIR:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/pinreg-lab}
		mkdir -p "$LAB_CACHE/locks"
		LAB_CACHE=$(cd "$LAB_CACHE" && pwd -P)
	fi
}

# key_of FILE-OR-WORD...: a short hash of the files' contents and of the words
key_of() {
	local part
	for part in "$@"; do
		if [[ -f $part ]]; then
			sha256sum <"$part"
		else
			printf '%s\n' "$part"
		fi
	done | sha256sum | cut -c1-16
}

# make_once DIR WHAT COMMAND...: unless DIR exists, run COMMAND with DIR.part as its last
# argument and rename that to DIR. What an interrupted build left is thrown away. Others
# that want the same wait for it. ASSUMPTION: as step.
make_once() {
	local dir=$1 what=$2
	shift 2
	[[ -d $dir ]] && return 0
	(
		flock 9
		[[ -d $dir ]] && exit 0
		trap 'remove_tree "$dir.part"' EXIT
		remove_tree "$dir.part"
		mkdir -p "$dir.part"
		# The lock must not live on in a child that lingers.
		step "$what" "$@" "$dir.part" 9>&-
		mv "$dir.part" "$dir"
	) 9>"$LAB_CACHE/locks/${dir##*/}"
}

# The files of an image made without root belong to subordinate ids: only their own
# user namespace can remove them.
remove_tree() {
	[[ -e $1 ]] || return 0
	as_root rm -rf --one-file-system -- "$1"
}
