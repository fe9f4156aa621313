# image.sh -- filesystem images for the guests' drives
# shellcheck shell=bash

# image_of DIR FILE SPARE_MIB: an ext4 image with the contents of DIR, and room to spare.
# No journal: guests write to snapshots that vanish with them.
image_of() {
	local size
	size=$(as_root du -sm --apparent-size "$1" | cut -f1)
	# One inode per 16 KiB is mke2fs's default: small files need more blocks than bytes.
	size=$((size + size / 4 + $3))
	as_root mke2fs -q -t ext4 -O ^has_journal -m 0 -i 8192 -d "$1" "$2" "${size}M"
}

image_dir() {
	printf '%s/image/%s\n' "$LAB_CACHE" "$(key_of "$(userland_dir)" "$LAB_HOME/lib/image.sh")"
}

# image_make DIR: DIR/root.img
image_make() {
	: >"$1/root.img"
	chmod 0644 "$1/root.img"
	image_of "$(userland_dir)/tree" "$1/root.img" 512
}

image_build() {
	make_once "$(image_dir)" "making the guests' root drive" image_make
}
