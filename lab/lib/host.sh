# host.sh -- what the lab needs of the machine it runs on
# shellcheck shell=bash

HOST_LAB_PACKAGES=(qemu-system-x86 mmdebstrap e2fsprogs debian-archive-keyring apt xz-utils util-linux)
HOST_NATIVE_PACKAGES=(gcc g++ cmake ninja-build pkgconf libibverbs-dev librdmacm-dev libnl-3-dev
	libnl-route-3-dev libpmem2-dev libcmocka-dev libxxhash-dev libjson-c-dev)

# as_root COMMAND...: where we are not root, root of a user namespace is enough. Its ids are
# the subordinate ones from 0 on, as mmdebstrap has them; our own is the last, so that this
# root may write what is ours.
as_root() {
	if ((EUID == 0)); then
		"$@"
	else
		unshare --map-auto --map-user 65535 --map-group 65535 --setuid 0 --setgid 0 -- "$@"
	fi
}

# packages_missing NAME...: those that are not installed
packages_missing() {
	local name
	for name in "$@"; do
		# shellcheck disable=SC2016 # the format is dpkg's
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
			printf '%s\n' "$name"
	done
}

install_packages() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -q -y --no-install-recommends "$@"
}

# host_need NAME...: installs what is missing when it may, or names it
host_need() {
	local missing
	command -v dpkg-query apt-get >/dev/null ||
		die "the lab is made for Debian and Ubuntu: this machine has no dpkg and apt-get."
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]})) || return 0
	((EUID == 0)) ||
		die "these packages are missing, and only root can install them: ${missing[*]}."
	(
		flock 9
		step "installing ${missing[*]}" install_packages "${missing[@]}" 9>&-
	) 9>"$LAB_CACHE/locks/host-packages"
}

host_need_lab() {
	[[ -z ${LAB_HOST_CHECKED-} ]] || return 0
	host_need "${HOST_LAB_PACKAGES[@]}"
	if ((EUID != 0)) && ! as_root true 2>/dev/null; then
		die "without root the lab needs user namespaces, the package uidmap and a range of ids in /etc/subuid and /etc/subgid for $(id -un), and this machine does not give them."
	fi
	LAB_HOST_CHECKED=1
}
