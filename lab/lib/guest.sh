# guest.sh -- the life of one guest, or of two that are joined
# shellcheck shell=bash

# What a run is, set by its callers; guest_reset gives the defaults.
guest_reset() {
	G_KERNEL=7.2      # label
	G_HOSTS=1         # 2: a second guest, reached from the first
	G_TIMEOUT=600     # seconds until the guests are killed
	G_USER=0          # 1: the command runs as a plain user
	G_SHELL=0         # 1: a shell on this terminal instead of a command
	G_PMEM=           # directory with the memory devices' files
	G_SHARE=off       # on: what the guest writes to them stays
	G_CUT=            # cut the power at a line of output that contains this
	G_LIBRARY=        # drive with the library
	G_RESULTS=        # where the files go that the guest left in /run/lab/results
	G_COMMAND=()
}

declare -A GUEST_PIDS=()
GUEST_PORTS=(ctl out err kmsg results)

# guest_initrd DIR HOST: DIR/initrd, the kernel's own and, after it, this run's scripts and
# settings. So a changed script needs no new image.
guest_initrd() {
	local rows=24 columns=80 root=$1/initramfs
	mkdir -p "$root"
	cp -a "$LAB_HOME/guest" "$root/lab"
	((!G_SHELL)) || read -r rows columns < <(stty size </dev/tty)
	{
		printf '%s=%q\n' LAB_KERNEL "$G_KERNEL" LAB_HOST "$2" LAB_HOSTS "$G_HOSTS" LAB_USER "$G_USER" \
			LAB_SHELL "$G_SHELL" LAB_ROWS "$rows" LAB_COLUMNS "$columns" LAB_TERM "${TERM:-linux}"
		printf 'LAB_COMMAND=('
		((!${#G_COMMAND[@]})) || printf ' %q' "${G_COMMAND[@]}"
		printf ' )\n'
	} >"$root/lab/config"
	{
		cat "$(kernel_dir "$G_KERNEL")/initrd.img"
		pack_cpio "$root"
	} >"$1/initrd"
	rm -rf "$root"
}

guest_drive() {
	printf '%s\n' -drive "if=none,id=$1,file=$2,format=raw,snapshot=on,cache=unsafe" \
		-device "virtio-blk-pci,drive=$1,serial=$1"
}

# guest_arguments DIR HOST ACCEL: QEMU's, one per line
guest_arguments() {
	local port kernel n=0
	kernel=$(kernel_dir "$G_KERNEL")
	printf '%s\n' -nodefaults -no-user-config -no-reboot -display none -machine q35,nvdimm=on \
		-smp 2 -m 4G,slots=4,maxmem=16G -device virtio-rng-pci
	# QEMU emulates "rep stosb" byte by byte. Without erms kernel and C library fill and copy by
	# words: five times faster here, and nearer to what a real CPU does in proportion.
	case $3 in
	kvm) printf '%s\n' -accel kvm -cpu host ;;
	tcg) printf '%s\n' -accel tcg,thread=multi -cpu max,-erms ;;
	esac
	# Stalls are no bug of the kernel where an emulated CPU waits for a busy host.
	printf '%s\n' -kernel "$kernel/vmlinuz" -initrd "$1/initrd" -append \
		"console=ttyS0 loglevel=5 log_buf_len=4M panic=-1 oops=panic nowatchdog rcupdate.rcu_cpu_stall_suppress=1 mitigations=off hugepages=128"
	printf '%s\n' -serial "file:$1/console" -device virtio-serial-pci,id=ports,max_ports=16
	for port in "${GUEST_PORTS[@]}"; do
		n=$((n + 1))
		printf '%s\n' -chardev "file,id=$port,path=$1/$port" \
			-device "virtserialport,bus=ports.0,nr=$n,chardev=$port,name=$port"
	done
	if ((G_SHELL)); then
		printf '%s\n' -chardev stdio,id=terminal,signal=off \
			-device "virtconsole,bus=ports.0,nr=0,chardev=terminal"
	fi
	guest_drive root "$(image_dir)/root.img"
	guest_drive modules "$kernel/modules.img"
	[[ -z $G_LIBRARY ]] || guest_drive library "$G_LIBRARY"
	printf '%s\n' -virtfs "local,path=$LAB_SRC,mount_tag=src,security_model=none,readonly=on,multidevs=remap"
	# Host B's memory devices are always scratch: what is kept belongs to host A.
	if [[ $2 == a ]]; then
		pmem_arguments "$G_PMEM" "$G_SHARE"
	else
		pmem_arguments "$(pmem_dir)" off
	fi
	((G_HOSTS == 1)) || guest_wire "$2"
}

# guest_wire HOST: an Ethernet of two, by datagrams, so that neither has to be first
guest_wire() {
	local peer=b mac=52:54:00:77:00:01
	[[ $1 == a ]] || { peer=a; mac=52:54:00:77:00:02; }
	printf '%s\n' -netdev "dgram,id=wire,local.type=unix,local.path=$GUEST_DIR/wire-$1,remote.type=unix,remote.path=$GUEST_DIR/wire-$peer" \
		-device "virtio-net-pci,netdev=wire,mac=$mac,host_mtu=9000,romfile="
}

# guest_reader FIFO PIDFILE: the command's output, as it comes; the plug is pulled at G_CUT
guest_reader() {
	local line
	if [[ -z $G_CUT ]]; then
		exec cat "$1"
	fi
	while IFS= read -r line || [[ -n $line ]]; do
		if [[ $line == *"$G_CUT"* && ! -e $2.cut ]]; then
			kill -KILL "$(<"$2")"
			: >"$2.cut"
		fi
		printf '%s\n' "$line"
	done <"$1"
}

# guest_start HOST ACCEL: QEMU in the background, its process in GUEST_PIDS
guest_start() {
	local arguments dir=$GUEST_DIR/$1 input=/dev/null output=/dev/null
	mkdir -p "$dir"
	guest_initrd "$dir" "$1"
	mapfile -t arguments < <(guest_arguments "$dir" "$1" "$2")
	if [[ $1 == a ]]; then
		mkfifo "$dir/out" "$dir/err"
		exec {GUEST_OUT}<>"$dir/out" {GUEST_ERR}<>"$dir/err"
		guest_reader "$dir/out" "$dir/pid" {GUEST_OUT}>&- {GUEST_ERR}>&- &
		GUEST_READERS=($!)
		guest_reader "$dir/err" "$dir/pid" {GUEST_OUT}>&- {GUEST_ERR}>&- >&2 &
		GUEST_READERS+=($!)
		((!G_SHELL)) || { input=/dev/tty; output=/dev/tty; }
	fi
	# Snapshots are temporary files of QEMU, and die with it as it dies with us.
	TMPDIR=${TMPDIR:-/var/tmp} setpriv --pdeathsig KILL qemu-system-x86_64 "${arguments[@]}" \
		<"$input" >"$output" 2>"$dir/qemu.log" {GUEST_OUT}>&- {GUEST_ERR}>&- &
	GUEST_PIDS[$1]=$!
	printf '%s\n' "$!" >"$dir/pid"
}

guest_cleanup() {
	local pid
	for pid in "${GUEST_PIDS[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	GUEST_PIDS=()
	[[ -z ${GUEST_DIR-} ]] || rm -rf "$GUEST_DIR"
	GUEST_DIR=
}

# Leaving early must leave nothing behind. Shells below the main one have guests, but no
# directory for test results.
guest_exit() {
	guest_cleanup
	[[ $BASHPID != "$$" || -z ${TEST_DIR-} ]] || rm -rf "$TEST_DIR"
}

# guest_wait: until host A is gone; why it is, in GUEST_END (ended, timeout, b)
guest_wait() {
	local who watch
	setpriv --pdeathsig KILL sleep "$G_TIMEOUT" >/dev/null 2>&1 &
	watch=$!
	GUEST_END=
	while [[ -z $GUEST_END ]]; do
		who=
		# bash would tell here that QEMU was killed, which is how a power cut is done.
		wait -n -p who "${GUEST_PIDS[@]}" "$watch" 2>/dev/null || true
		case $who in
		"$watch") GUEST_END=timeout ;;
		"${GUEST_PIDS[a]}") GUEST_END=ended ;;
		*)
			grep -qs '^exit 0' "$GUEST_DIR/b/ctl" || GUEST_END=b
			unset 'GUEST_PIDS[b]'
			;;
		esac
	done
	[[ $GUEST_END == timeout ]] || kill "$watch" 2>/dev/null || true
	for who in "${GUEST_PIDS[@]}"; do
		# Host B is told to go by host A, and is given a moment for its kernel's log.
		[[ $GUEST_END != ended ]] || timeout 20 tail -f /dev/null --pid="$who" || true
		kill -KILL "$who" 2>/dev/null || true
		wait "$who" 2>/dev/null || true
	done
	exec {GUEST_OUT}>&- {GUEST_ERR}>&-
	wait "${GUEST_READERS[@]}" || true
}

# guest_died_early: whether a kernel was gone before its first script had anything to tell
guest_died_early() {
	local host
	[[ $GUEST_END != timeout ]] || return 1
	for host in a b; do
		[[ ! -d $GUEST_DIR/$host ]] || grep -Eqs '^(up|failed)' "$GUEST_DIR/$host/ctl" || return 0
	done
	return 1
}

# guest_boot ACCEL: until host A is gone. An emulated CPU kills about one kernel in twenty
# while it boots: 7.2 patches its own code there, and QEMU lets the other CPU run the half of
# it. Nothing of ours has run by then, so it is tried again; in plain words, and not for ever.
guest_boot() {
	local try host
	for try in 1 2 3; do
		guest_start a "$1"
		((G_HOSTS == 1)) || guest_start b "$1"
		guest_wait
		if ((try == 3)) || [[ $1 != tcg || -e $GUEST_DIR/a/pid.cut ]] || ! guest_died_early; then
			break
		fi
		say "the kernel died while it booted; its last lines follow, then it is booted again."
		for host in a b; do
			guest_console "$host"
		done
		rm -rf "${GUEST_DIR:?}"/*
		GUEST_PIDS=()
	done
}

# guest_run: boots what the G_ variables say. Returns the command's status; 124 if time
# ran out, 125 if the guest did not come to an end of its own.
guest_run() {
	local accel status
	accel=$(accel_choose "$G_KERNEL")
	GUEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/pinreg-lab-run.XXXXXX")
	trap guest_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	say "booting kernel $G_KERNEL${G_LIBRARY:+ with the library} ($G_HOSTS guest$( ((G_HOSTS == 1)) || echo s), $accel) ..."
	guest_boot "$accel"
	status=$(guest_status)
	status=$(klog_check "$status")
	if [[ -n $G_RESULTS && -s $GUEST_DIR/a/results ]]; then
		tar -C "$G_RESULTS" -xf "$GUEST_DIR/a/results"
	fi
	guest_cleanup
	return "$status"
}

# guest_status: what the run returns, with a sentence where that is not the command's
guest_status() {
	local status host
	status=$(sed -n 's/^exit //p' "$GUEST_DIR/a/ctl" 2>/dev/null | tail -n 1) || status=
	if [[ -e $GUEST_DIR/a/pid.cut ]]; then
		say "the power was cut at a line with '$G_CUT'."
		echo 0
	elif [[ $GUEST_END == timeout ]]; then
		say "the guest was killed after $G_TIMEOUT s; its kernel's last lines follow."
		guest_console a
		echo 124
	elif [[ $GUEST_END == b || -z $status || $status == 125 ]]; then
		host=a
		[[ $GUEST_END != b ]] || host=b
		say "host ${host^} did not come to an end of its own ($(tail -n 1 "$GUEST_DIR/$host/ctl" 2>/dev/null | grep . || echo 'it never got as far as telling')); its console follows."
		cat "$GUEST_DIR/$host/qemu.log" >&2
		guest_console "$host"
		echo 125
	elif [[ -n $G_CUT ]]; then
		say "no line with '$G_CUT' appeared before the command ended with status $status: the power was not cut."
		((status)) || status=1
		echo "$status"
	else
		echo "$status"
	fi
}

guest_console() {
	[[ ! -e $GUEST_DIR/$1/console ]] || tail -n 40 "$GUEST_DIR/$1/console" | tr -d '\r' >&2
}

# guest_simple LABEL COMMAND...: a run for the lab's own purposes
guest_simple() {
	local pmem=${GUEST_PMEM-} share=${GUEST_SHARE-off}
	guest_reset
	G_KERNEL=$1
	G_PMEM=${pmem:-$(pmem_dir)}
	G_SHARE=$share
	G_TIMEOUT=180
	shift
	G_COMMAND=("$@")
	guest_run
}
