# soak.sh -- lab soak: files served for a long time while their leases are broken at random
# shellcheck shell=bash

soak_usage() {
	cat <<-'EOT'
	Usage: lab soak [--minutes N] [--kernel K] [--seed S]

	Boots a guest in which a server leases files on DAX filesystems, clients store to them and
	read back by RDMA all the time, and visitors break the leases at random: openers of every
	kind, truncation, appending, execution. Fails if a committed object is lost, a byte is wrong,
	a file does not come back, or a region, a descriptor or a mapping leaks. The last line has
	the number of breaks.

	  --minutes N  how long (default 5)
	  --kernel K   7.2 (default), 7.2-odpfix, 6.12 or 6.1
	  --seed S     of what is random; the one that was used is printed

	Example: lab soak --minutes 60 --kernel 6.12
	EOT
}

cmd_soak() {
	local minutes=5 seed=()
	guest_reset
	while (($#)); do
		case $1 in
		--minutes | --seed)
			need_value "$@"
			[[ $2 =~ ^[0-9]+$ ]] || die_usage "$1 is '$2'; it takes a number."
			if [[ $1 == --minutes ]]; then minutes=$2; else seed=(--seed "$2"); fi
			shift 2
			;;
		--kernel) need_value "$@"; kernel_check "$2"; G_KERNEL=$2; shift 2 ;;
		-h | --help) soak_usage; return ;;
		*) die_usage "lab soak knows no '$1'; lab soak --help tells what it knows." ;;
		esac
	done
	RUN_BARE=0
	G_TIMEOUT=$((minutes * 60 + 300))
	G_COMMAND=(/opt/pinreg/build/tests/soak --minutes "$minutes" "${seed[@]}")
	run_guest
}
