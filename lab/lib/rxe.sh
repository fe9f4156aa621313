# rxe.sh -- Soft-RoCE with its on-demand paging repaired, for the kernel 7.2-odpfix
# shellcheck shell=bash

# Stock rxe moves wrong bytes in on-demand regions unless a transfer is whole aligned
# pages (kernel/rxe-odp.patch says how). The repaired one stands for devices that are
# right, so that tests see both kinds.

# rxe_repair DIR: replaces the module in DIR/modules, DIR/package being its version
rxe_repair() {
	local version release series source deb kbuild module
	version=$(<"$1/package")
	release=$(<"$1/release")
	series=${release%%[!0-9.]*}
	series=${series%.*}
	mkdir -p "$1/headers" "$1/rxe"
	archive_fetch "linux-headers-$release=$version" "linux-headers-${release%-amd64}-common=$version" \
		"linux-kbuild-${release%-amd64}=$version" | while read -r deb; do
		dpkg-deb -x "$deb" "$1/headers"
	done
	source=$(archive_fetch "linux-source-$series=$version")
	# The archive is one tar within another; only one directory of it is wanted.
	dpkg-deb --fsys-tarfile "$source" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
		xz -dc | tar -x -C "$1/rxe" --no-same-owner --strip-components=5 --wildcards '*/drivers/infiniband/sw/rxe/*'
	patch -d "$1/rxe" -p5 <"$LAB_HOME/kernel/rxe-odp.patch"
	# Type information for BPF would need the very pahole that the kernel was built with.
	# The packages link from usr/src to usr/lib; only usr/src exists in the tree to bind to.
	kbuild=linux-kbuild-${release%-amd64}
	rm "$1/headers/usr/src/$kbuild"
	mv "$1/headers/usr/lib/$kbuild" "$1/headers/usr/src/"
	for deb in "$1"/headers/usr/src/linux-headers-*/{scripts,tools}; do
		ln -sfn "../$kbuild/${deb##*/}" "$deb"
	done
	in_userland --ro "$1/headers/usr/src" /usr/src --rw "$1/rxe" /mnt/a -- \
		make -j "$(nproc)" -C "/usr/src/linux-headers-$release" M=/mnt/a CONFIG_RDMA_RXE=m \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules
	module=$(find "$1/modules" -name 'rdma_rxe.ko')
	strip --strip-debug -o "$module" "$1/rxe/rdma_rxe.ko"
	rm -rf "$1/headers" "$1/rxe"
}
