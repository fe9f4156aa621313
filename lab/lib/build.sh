# build.sh -- lab build: everything that a run needs
# shellcheck shell=bash

# build_guests LABEL...: without the library
build_guests() {
	local label
	cache_dir
	host_need_lab
	if [[ ! -d $(userland_dir) ]] || build_lacks_kernel "$@"; then
		archive_update
	fi
	userland_build
	image_build
	for label; do
		kernel_build "$label"
	done
	pmem_build "$1"
}

build_lacks_kernel() {
	local label
	for label; do
		[[ -d $(kernel_dir "$label") ]] || return 0
	done
	return 1
}

build_usage() {
	cat <<-'EOF'
	Usage: lab build [--kernel K]...

	Makes the guests' Debian, the kernels K (default 7.2) and this checkout's library, as far
	as they are not in the cache. Missing host packages are installed when root does this.

	Example: lab build --kernel 7.2 --kernel 6.12
	EOF
}

cmd_build() {
	local kernels=() start=$SECONDS
	while (($#)); do
		case $1 in
		--kernel) need_value "$@"; kernel_check "$2"; kernels+=("$2"); shift 2 ;;
		-h | --help) build_usage; return ;;
		*) die_usage "lab build knows no '$1'; lab build --help tells what it knows." ;;
		esac
	done
	((${#kernels[@]})) || kernels=(7.2)
	build_guests "${kernels[@]}"
	project_build
	say "kernel ${kernels[*]}: ready after $((SECONDS - start)) s"
}
