# pmem.sh -- the files behind the guests' persistent memory
# shellcheck shell=bash

# Four devices: ext4 and xfs with DAX, one for /dev/dax, and a spare one for tests that make a
# filesystem of their own. Namespaces and filesystems are made once, in a guest; runs map a
# private copy of that, or share files of their own. The spare one is all zeros, without a
# namespace: it takes no space here, and no time when a guest boots.
PMEM_DEVICES=(ext4:768 xfs:768 dax:256 spare:6144)

pmem_dir() {
	printf '%s/pmem/%s\n' "$LAB_CACHE" "$(key_of "$LAB_HOME/lib/pmem.sh" "$LAB_HOME/guest/setup.sh")"
}

# pmem_files DIR: empty files
pmem_files() {
	local device
	for device in "${PMEM_DEVICES[@]}"; do
		truncate -s "${device#*:}M" "$1/${device%:*}.img"
	done
}

# pmem_make LABEL DIR
pmem_make() {
	pmem_files "$2"
	GUEST_PMEM=$2 GUEST_SHARE=on guest_simple "$1" true
	# Blocks of zeros need no space, and no time when they are copied.
	for device in "${PMEM_DEVICES[@]}"; do
		fallocate --dig-holes "$2/${device%:*}.img"
	done
}

# pmem_build LABEL: the kernel that boots to make it
pmem_build() {
	make_once "$(pmem_dir)" "making the persistent memory (boots a guest)" pmem_make "$1"
}

# pmem_own DIR: DIR gets the files, unless it has them
pmem_own() {
	local device
	mkdir -p "$1"
	for device in "${PMEM_DEVICES[@]}"; do
		[[ ! -e $1/${device%:*}.img ]] || continue
		cp --sparse=always "$(pmem_dir)/${device%:*}.img" "$1/${device%:*}.img.part"
		mv "$1/${device%:*}.img.part" "$1/${device%:*}.img"
	done
}

# pmem_arguments DIR SHARE: QEMU's, one per line
pmem_arguments() {
	local device name size n=0
	for device in "${PMEM_DEVICES[@]}"; do
		name=${device%:*}
		size=${device#*:}
		printf '%s\n' -object "memory-backend-file,id=pmem$n,mem-path=$1/$name.img,size=${size}M,share=$2" \
			-device "nvdimm,id=dimm$n,memdev=pmem$n"
		n=$((n + 1))
	done
}
