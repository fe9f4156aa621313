# userland.sh -- the Debian tree that all guests boot and the library is built in
# shellcheck shell=bash

USERLAND_SUITE=trixie
# Documentation is a third of the files, and nobody reads it in a guest.
USERLAND_MMDEBSTRAP=(--variant=apt --format=directory --dpkgopt=force-unsafe-io
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*'
	--dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*')

userland_dir() {
	local key
	key=$(key_of "$LAB_HOME/packages.txt" "$LAB_HOME/lib/userland.sh" "$LAB_HOME/host/userland-setup")
	printf '%s/userland/%s\n' "$LAB_CACHE" "$key"
}

userland_packages() {
	sed 's/#.*//' "$LAB_HOME/packages.txt" | xargs | tr ' ' ','
}

# userland_make DIR: DIR/tree
userland_make() {
	local mirror mode=root
	mirror=$(archive_mirror)
	((EUID == 0)) || mode=unshare
	mmdebstrap --mode="$mode" "${USERLAND_MMDEBSTRAP[@]}" --include="$(userland_packages)" \
		--keyring="$ARCHIVE_KEYRING" --customize-hook="$LAB_HOME/host/userland-setup" \
		"$USERLAND_SUITE" "$1/tree" "$mirror"
}

# in_userland [BIND...] -- COMMAND...: see host/enter
in_userland() {
	as_root "$LAB_HOME/host/enter" "$(userland_dir)/tree" "$@"
}

userland_build() {
	make_once "$(userland_dir)" "making the guests' Debian ($USERLAND_SUITE)" userland_make
}
