# spare.sh -- a filesystem on the guest's spare persistent memory, mounted on /pmem/spare
# shellcheck shell=bash
#
# Scripts source it by way of guest/lib.sh; programs run it, with what they would call:
#   bash spare.sh spare_filesystem xfs -m reflink=1 -- dax=always

SPARE=/pmem/spare

# spare_device: its path, to be written to before a filesystem is made. The namespace that
# DAX needs is made by who comes first, and stays as long as the guest.
spare_device() {
	[[ -n ${PINREG_SPARE-} ]] || { echo "no spare persistent memory: this runs in the lab's guest" >&2; return 1; }
	ndctl list -N -r "region$PINREG_SPARE" | grep -q '"mode":"fsdax"' ||
		ndctl create-namespace -f -e "namespace$PINREG_SPARE.0" -m fsdax >/dev/null || return
	printf '/dev/pmem%s\n' "$PINREG_SPARE"
}

# spare_filesystem TYPE MKFS-OPTION... -- MOUNT-OPTIONS: in place of what was there. SPARE_SIZE
# (MiB) makes one that is smaller than the device. Nothing is discarded or zeroed that need not be.
spare_filesystem() {
	local type=$1 device options=()
	shift
	while (($#)) && [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	(($# < 2)) || set -- "$1" "-o$2"
	spare_remove || return
	device=$(spare_device) || return
	case $type in
	ext4)
		mkfs.ext4 -q -F -b 4096 -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 "${options[@]}" \
			"$device" ${SPARE_SIZE:+"${SPARE_SIZE}M"} || return
		;;
	xfs)
		# the oldest kernel must be able to mount it; lts_6.1.conf forbids -m reflink
		mkfs.xfs -q -f -K -m rmapbt=0 -i nrext64=0,exchange=0 -n parent=0 "${options[@]}" \
			${SPARE_SIZE:+-d "size=${SPARE_SIZE}m"} "$device" || return
		;;
	btrfs)
		modprobe btrfs &&
			mkfs.btrfs -q -f -K "${options[@]}" ${SPARE_SIZE:+-b "${SPARE_SIZE}M"} "$device" || return
		;;
	tmpfs) device=tmpfs ;;
	*) echo "spare_filesystem makes no $type" >&2; return 1 ;;
	esac
	mount -t "$type" "${@:2}" "$device" "$SPARE" && chmod 1777 "$SPARE"
}

# spare_remove: what is mounted there is gone; a lazy unmount would only hide who has it open
spare_remove() {
	local tries
	for ((tries = 0; tries < 50; tries++)); do
		mountpoint -q "$SPARE" || return 0
		umount "$SPARE" 2>/dev/null || sleep 0.1
	done
	umount "$SPARE"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	set -euo pipefail
	"$@"
fi
