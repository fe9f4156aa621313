# soak.sh -- lab soak: files served for a long time while their leases are broken at random,
# and a cache of regions of memory that is mapped and unmapped all the time
# shellcheck shell=bash

soak_usage() {
	cat <<-'EOT'
	Usage: lab soak [--minutes N] [--cache-minutes N] [--kernel K] [--seed S]

	Boots a guest in which a server leases files on DAX filesystems, clients store to them and
	read back by RDMA all the time, and visitors break the leases at random: openers of every
	kind, truncation, appending, execution. Fails if a committed object is lost, a byte is wrong,
	a file does not come back, or a region, a descriptor or a mapping leaks. The last line has
	the number of breaks.

	Then, in the same guest, threads map memory, fill it, get regions of it from a cache, move
	data through them, unmap it and map other memory at the same addresses, with each of the
	cache's monitors. Fails if a peer sees a byte that is not there any more, or if a region is
	left.

	  --minutes N        how long files are served (default 5; 0: not at all)
	  --cache-minutes N  and how long the cache is used (default 10; 0: not at all)
	  --kernel K         7.2 (default), 7.2-odpfix, 6.12 or 6.1
	  --seed S           of what is random; the one that was used is printed

	Example: lab soak --minutes 60 --kernel 6.12
	EOT
}

cmd_soak() {
	local minutes=5 cache_minutes=10 seed=() programs=/opt/pinreg/build/tests
	guest_reset
	while (($#)); do
		case $1 in
		--minutes | --cache-minutes | --seed)
			need_value "$@"
			[[ $2 =~ ^[0-9]+$ ]] || die_usage "$1 is '$2'; it takes a number."
			case $1 in
			--minutes) minutes=$2 ;;
			--cache-minutes) cache_minutes=$2 ;;
			--seed) seed=(--seed "$2") ;;
			esac
			shift 2
			;;
		--kernel) need_value "$@"; kernel_check "$2"; G_KERNEL=$2; shift 2 ;;
		-h | --help) soak_usage; return ;;
		*) die_usage "lab soak knows no '$1'; lab soak --help tells what it knows." ;;
		esac
	done
	RUN_BARE=0
	G_TIMEOUT=$(((minutes + cache_minutes) * 60 + 300))
	# minutes of each, the programs, and what both are told
	# shellcheck disable=SC2016 # the shell in the guest expands them
	G_COMMAND=(bash -euc '
		files=$1 cache=$2 programs=$3
		shift 3
		((!files)) || "$programs/soak" --minutes "$files" "$@"
		((!cache)) || "$programs/cache_soak" --minutes "$cache" "$@"
		' soak "$minutes" "$cache_minutes" "$programs" "${seed[@]}")
	run_guest
}
