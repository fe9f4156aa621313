# accel.sh -- KVM where it works, emulation elsewhere
# shellcheck shell=bash

# /dev/kvm may be there and fail at the first instruction, or never come back. So a kernel
# is booted with it once, for a few seconds, and the outcome kept until the machine or
# QEMU changes.

ACCEL_PROBE_SECONDS=15

accel_probe() {
	local kernel
	kernel=$(kernel_dir "$1")
	[[ -r /dev/kvm && -w /dev/kvm ]] || return 1
	timeout -s KILL "$ACCEL_PROBE_SECONDS" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
		-display none -machine q35 -accel kvm -cpu host -m 512 -serial stdio \
		-kernel "$kernel/vmlinuz" -initrd "$kernel/initrd.img" \
		-append 'console=ttyS0 quiet panic=-1 lab.probe' </dev/null 2>/dev/null |
		tr -d '\r' | grep -q '^lab-probe-works$'
}

# accel_choose LABEL: kvm or tcg; the kernel serves the probe
accel_choose() {
	local key file
	case ${PINREG_LAB_ACCEL-} in
	kvm | tcg) printf '%s\n' "$PINREG_LAB_ACCEL"; return ;;
	'') ;;
	*) die_usage "PINREG_LAB_ACCEL is '$PINREG_LAB_ACCEL'; it can be kvm or tcg." ;;
	esac
	[[ -e /dev/kvm ]] || { echo tcg; return; }
	key=$(key_of "$(</proc/sys/kernel/random/boot_id)" "$(qemu-system-x86_64 --version)" "$EUID")
	file=$LAB_CACHE/accel-$key
	if [[ ! -s $file ]]; then
		(
			flock 9
			[[ ! -s $file ]] || exit 0
			say "trying whether KVM works here (up to $ACCEL_PROBE_SECONDS s, once) ..."
			if accel_probe "$1"; then echo kvm; else echo tcg; fi >"$file.part"
			mv "$file.part" "$file"
		) 9>"$LAB_CACHE/locks/accel"
	fi
	cat "$file"
}
