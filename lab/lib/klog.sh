# klog.sh -- a kernel that complains fails the run, whatever the command said
# shellcheck shell=bash

KLOG_BAD='WARNING:|BUG:|kernel BUG at|Oops|Call Trace|Kernel panic|general protection fault|unable to handle|refcount_t:|UBSAN:|KASAN:|possible (recursive|circular) locking|blocked for more than|soft lockup|hung_task|Bad page state|list_(add|del) corruption|use-after-free'

# klog_of HOST: the whole log if the guest could send it, else what reached the console
klog_of() {
	if [[ -s $GUEST_DIR/$1/kmsg ]]; then
		cat "$GUEST_DIR/$1/kmsg"
	else
		tr -d '\r' <"$GUEST_DIR/$1/console"
	fi
}

# klog_check STATUS: the status, or 1 in place of 0 where a log has something bad
klog_check() {
	local host status=$1 bad
	for host in a b; do
		[[ -e $GUEST_DIR/$host/console ]] || continue
		bad=$(klog_of "$host" | grep -E -c "$KLOG_BAD" || true)
		((bad)) || continue
		say "the kernel of host ${host^} complained; the run counts as failed:"
		klog_of "$host" | grep -E -B 2 -A 40 "$KLOG_BAD" | head -n 120 >&2
		((status)) || status=1
	done
	printf '%s\n' "$status"
}
