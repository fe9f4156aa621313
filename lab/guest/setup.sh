# setup.sh -- the parts of a guest: kernel, RDMA, persistent memory, the library, the pair
# shellcheck shell=bash

setup_kernel() {
	mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts 2>/dev/null ||
		{ mkdir -p /dev/pts /dev/shm /dev/hugepages && mount -t devpts devpts /dev/pts; }
	mkdir -p /dev/shm /dev/hugepages
	mount -t tmpfs -o mode=1777 shm /dev/shm
	mount -t tmpfs -o mode=1777 tmp /tmp
	mount -t hugetlbfs -o mode=1777 hugepages /dev/hugepages
	mount -t cgroup2 cgroup /sys/fs/cgroup
	mount -t debugfs debug /sys/kernel/debug
	mount -t tracefs trace /sys/kernel/tracing
	ln -sfn /proc/self/fd /dev/fd
	ln -sfn /proc/self/fd/0 /dev/stdin
	ln -sfn /proc/self/fd/1 /dev/stdout
	ln -sfn /proc/self/fd/2 /dev/stderr
	mkdir -p /run/sshd /run/lab/results /run/lock
	chmod 1777 /run/lab/results
	modprobe -a virtio_console virtio_net virtio_rng 9pnet_virtio 9p dummy
	mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose src /src
	hostname "host-$LAB_HOST"
	ip link set lo up
}

# port NAME: the device of the virtio port with that name
port() {
	local path
	for path in /sys/class/virtio-ports/*; do
		if [[ $(<"$path/name") == "$1" ]]; then
			printf '/dev/%s\n' "${path##*/}"
			return
		fi
	done
}

# rxe carries 4096 byte packets only on a netdev whose MTU exceeds that by its headers.
setup_rdma() {
	local netdev=dummy0 address=10.77.0.1
	modprobe -a rdma_rxe ib_uverbs rdma_ucm
	if ((LAB_HOSTS == 2)); then
		netdev=$(ls -d /sys/class/net/*/device)
		netdev=$(basename "${netdev%/device}")
		[[ $LAB_HOST == a ]] || address=10.77.0.2
	else
		ip link add dummy0 type dummy
	fi
	ip link set "$netdev" mtu 9000 up &&
		ip address add "$address/24" dev "$netdev" &&
		rdma link add rxe0 type rxe netdev "$netdev"
}

# The kernel numbers regions in an order of its own. Their addresses are in the order in
# which the lab listed the devices.
pmem_regions() {
	local region
	for region in /sys/bus/nd/devices/region*; do
		printf '%d %s\n' "$(<"$region/resource")" "${region##*/region}"
	done | sort -n | cut -d' ' -f2
}

# pmem_namespace REGION MODE: made unless the device has it from an earlier run
pmem_namespace() {
	ndctl list -N -r "region$1" | grep -q "\"mode\":\"$2\"" ||
		ndctl create-namespace -f -e "namespace$1.0" -m "$2" >/dev/null
}

pmem_filesystem() {
	local type=$1 device=$2
	if [[ -z $(blkid -p -o value -s TYPE "$device") ]]; then
		case $type in
		ext4) mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$device" ;;
		# su: allocations begin at 2 MiB, so that huge mappings are possible. The oldest
		# kernel of the lab must be able to mount it.
		xfs) mkfs.xfs -q -c options=/usr/share/xfsprogs/mkfs/lts_6.1.conf -d su=2m,sw=1 "$device" ;;
		esac
	fi
	mount -t "$type" -o dax=always "$device" "/pmem/$type" && chmod 1777 "/pmem/$type"
}

setup_pmem() {
	local ext4 xfs dax spare
	modprobe -a nfit nd_pmem dax_pmem device_dax xfs
	{ read -r ext4; read -r xfs; read -r dax; read -r spare; } < <(pmem_regions)
	pmem_namespace "$ext4" fsdax && pmem_filesystem ext4 "/dev/pmem$ext4" &&
		pmem_namespace "$xfs" fsdax && pmem_filesystem xfs "/dev/pmem$xfs" &&
		pmem_namespace "$dax" devdax &&
		echo "$spare" >/run/lab/spare
}

# The library as installed, over /usr/local, and the linker's cache that knows it.
setup_library() {
	[[ -d /opt/pinreg/local ]] || return 0
	mount --bind /opt/pinreg/local /usr/local
	mount --bind /opt/pinreg/ld.so.cache /etc/ld.so.cache
}

# as_command COMMAND...: as whoever the command is
as_command() {
	if ((LAB_USER)); then
		HOME=/home/lab USER=lab LOGNAME=lab setpriv --reuid lab --regid lab --clear-groups \
			--inh-caps=-all --bounding-set=-all -- "$@"
	else
		"$@"
	fi
}

# Host A commands host B as the user that it is itself.
setup_pair() {
	export -p >/run/lab/environment
	chmod 1777 /run/lab
	((LAB_USER)) || return 0
	cp -a /root/.ssh /home/lab/.ssh
	chown -R lab:lab /home/lab/.ssh
}

# The connection made here is kept, and all that on-b does goes through it.
reach_host_b() {
	local tries
	for ((tries = 0; tries < 1200; tries++)); do
		as_command ssh -F /run/lab/ssh_config -fNM host-b </dev/null >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}

# until host A says that it is done
serve_host_a() {
	mkfifo -m 0622 /run/lab/done
	/usr/sbin/sshd -o MaxSessions=100 -o UsePAM=no
	read -r _ </run/lab/done
}

# The terminal forgets its size when nobody has it open.
shell_on_console() {
	(
		stty sane rows "$LAB_ROWS" cols "$LAB_COLUMNS"
		TERM=$LAB_TERM exec setsid --wait --ctty bash -l
	) <>/dev/hvc0 >&0 2>&0
}
