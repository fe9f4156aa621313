# kernel.sh -- a Debian kernel made bootable: vmlinuz, a small initramfs, a drive of modules
# shellcheck shell=bash

# label: where the archive has it. The labels are ours; the newest package that fits is taken.
declare -A KERNEL_PACKAGES=(
	[7.2]='^linux-image-7\.2\.[0-9]+\+[a-z0-9]+-amd64$'
	[6.12]='^linux-image-6\.12\.[0-9]+\+[a-z0-9]+-amd64$'
	[6.1]='^linux-image-6\.1\.0-[0-9]+-amd64$'
)
KERNEL_LABELS=(7.2 7.2-odpfix 6.12 6.1)

# Enough to mount the root drive; everything else is loaded from the modules' drive.
KERNEL_BOOT_MODULES=(virtio_pci virtio_blk ext4)

# What a guest without such hardware never loads; two thirds of the bytes.
KERNEL_UNUSED=(sound drivers/gpu drivers/media drivers/net/wireless drivers/net/ethernet drivers/staging
	drivers/iio drivers/usb drivers/hid drivers/input drivers/scsi drivers/mmc drivers/platform drivers/hwmon
	drivers/bluetooth drivers/isdn drivers/comedi drivers/video drivers/mtd drivers/thunderbolt drivers/power
	net/wireless net/mac80211 net/bluetooth)

kernel_check() {
	local label
	for label in "${KERNEL_LABELS[@]}"; do
		[[ $label != "$1" ]] || return 0
	done
	die_usage "there is no kernel '$1'; the lab knows ${KERNEL_LABELS[*]}."
}

kernel_dir() {
	local parts=("$LAB_HOME/lib/kernel.sh" "$LAB_HOME/guest/init" "$LAB_HOME/lib/image.sh" "$(userland_dir)")
	[[ $1 != *-odpfix ]] || parts+=("$LAB_HOME/lib/rxe.sh" "$LAB_HOME/kernel/rxe-odp.patch")
	printf '%s/kernel/%s-%s\n' "$LAB_CACHE" "$1" "$(key_of "$1" "${parts[@]}")"
}

# kernel_unpack LABEL DIR: the package and those that hold its parts (newer ones are split)
kernel_unpack() {
	local image base version name debs
	base=${1%-odpfix}
	image=$(archive_newest "${KERNEL_PACKAGES[$base]}")
	if [[ -z $image ]]; then
		say "the archive has no kernel $base any more: it offers $(archive_newest '^linux-image-[0-9].*-amd64$') at most, and a mirror that still has $base can be named in PINREG_LAB_MIRROR."
		return 1
	fi
	version=$(archive_version "$image")
	debs=("$image=$version")
	for name in "${image/image/base}" "${image/image/binary}" "${image/image/modules}"; do
		[[ -z $(archive_newest "^${name//+/\\+}\$") ]] || debs+=("$name=$version")
	done
	printf '%s\n' "$version" >"$2/package"
	printf '%s\n' "${image#linux-image-}" >"$2/release"
	archive_fetch "${debs[@]}" | while read -r name; do
		dpkg-deb --fsys-tarfile "$name" | tar -x -C "$2" --wildcards --no-same-owner \
			'./boot/vmlinuz-*' './lib/modules/*' './usr/lib/modules/*' 2>/dev/null || true
	done
	cat "$2"/boot/vmlinuz-* "$2"/{usr/,}lib/modules/*/vmlinuz 2>/dev/null >"$2/vmlinuz" || true
	[[ -s $2/vmlinuz ]]
}

# kernel_modules DIR: DIR/modules/RELEASE, unpacked: decompressing under emulation is slow
kernel_modules() {
	local release path
	release=$(<"$1/release")
	mkdir "$1/modules"
	for path in "$1/usr/lib/modules/$release" "$1/lib/modules/$release"; do
		[[ ! -d $path/kernel ]] || mv "$path" "$1/modules/"
	done
	rm -rf "${1:?}"/{boot,usr,lib}
	for path in "${KERNEL_UNUSED[@]}"; do
		rm -rf "$1/modules/$release/kernel/$path"
	done
	rm -rf "$1/modules/$release"/{vmlinuz,build,source}
	find "$1/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P "$(nproc)" xz -d
}

# kernel_initramfs DIR: DIR/initrd.img
kernel_initramfs() {
	local release path root=$1/initramfs
	release=$(<"$1/release")
	mkdir -p "$root"/{bin,dev,proc,sys,root,modules}
	install -m 0755 "$LAB_HOME/guest/init" "$root/init"
	install -m 0755 "$(userland_dir)/tree/usr/bin/busybox" "$root/bin/busybox"
	in_userland --ro "$1/modules" /usr/lib/modules -- \
		modprobe --all --set-version "$release" --show-depends "${KERNEL_BOOT_MODULES[@]}" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$1/order"
	while read -r path; do
		cp "$1/modules/${path#*/lib/modules/}" "$root/modules/"
		printf '%s\n' "${path##*/}" >>"$root/modules/order"
	done <"$1/order"
	pack_cpio "$root" >"$1/initrd.img"
	rm -rf "$root" "$1/order"
}

# pack_cpio DIR: DIR as the kernel wants an initramfs
pack_cpio() (
	cd "$1" || exit
	find . | "$(userland_dir)/tree/usr/bin/busybox" cpio -o -H newc -R 0:0 2>/dev/null
)

# kernel_make LABEL DIR
kernel_make() {
	kernel_unpack "$1" "$2"
	kernel_modules "$2"
	[[ $1 != *-odpfix ]] || rxe_repair "$2"
	in_userland --rw "$2/modules" /usr/lib/modules -- depmod "$(<"$2/release")"
	kernel_initramfs "$2"
	image_of "$2/modules" "$2/modules.img" 16
	rm -rf "$2/modules"
}

# kernel_build LABEL
kernel_build() {
	make_once "$(kernel_dir "$1")" "making kernel $1" kernel_make "$1"
}
