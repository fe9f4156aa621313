#!/bin/bash
# store_hosts.sh -- pmem-store's client on a host of its own, through broken leases
#
# On the machine it boots a pair of guests. "serve" is what host A does: the file is there,
# and whoever breaks its lease. "work" is host B's client, who is told nothing of that.
set -euo pipefail
shopt -s inherit_errexit

self=/src/tests/lab/store_hosts.sh
breaks=6

# Objects are put one after the other; none may fail, and each is as it was put in the end.
work() {
	local n=0 name end=$((SECONDS + 240))
	rm -f /tmp/stop
	mkdir -p /tmp/objects
	while [[ ! -e /tmp/stop ]]; do
		((SECONDS < end)) || { echo "nobody stopped the client"; exit 1; }
		n=$((n + 1))
		head -c $((3000000 + RANDOM * 20)) /dev/urandom >/tmp/objects/$((n % 5))
		pmem-store put "object$((n % 5))" </tmp/objects/$((n % 5)) 2>>/tmp/objects.err ||
			{ cat /tmp/objects.err; exit 1; }
	done
	for name in /tmp/objects/*; do
		pmem-store get "object${name##*/}" 2>>/tmp/objects.err | cmp - "$name"
	done
	printf '%d objects put, each of the last %d is as it was put\n' "$n" \
		"$(find /tmp/objects -type f | wc -l)"
	printf '%d times the client went on by itself\n' "$(grep -c 'went on' /tmp/objects.err)"
}

client_is_there() {
	kill -0 "$CLIENT" 2>/dev/null || { cat "$WORK/client"; fail "the client ended"; }
}

serve() {
	local n client=0
	# shellcheck source=tests/guest/lib.sh
	. /src/tests/guest/lib.sh
	need_store
	start_server --size 32M
	on-b env PMEM_STORE_ADDR="$PINREG_HOST_A" bash $self work >"$WORK/client" 2>&1 &
	CLIENT=$!
	wait_for "an object of the client" 60 stored object1
	for ((n = 1; n <= breaks; n++)); do
		sleep 0.7
		client_is_there
		case $((n % 3)) in
		0) : <"$STORE" ;;
		1) sleep 1.5 >>"$STORE" ;; # a put comes meanwhile, and waits
		2) perl -e 'truncate($ARGV[0], -s $ARGV[0]) or die "$!\n"' "$STORE" ;;
		esac
		served_again "$n"
		printf 'broken and served again: %d\n' "$n"
	done
	sleep 0.7
	on-b touch /tmp/stop
	wait "$CLIENT" || client=$?
	cat "$WORK/client"
	((client == 0)) || fail "the client failed"
	grep -Eq '^[1-9][0-9]* times the client went on by itself' "$WORK/client" ||
		fail "no put was interrupted"
	stop_server
	echo "the store on two hosts is done"
}

stored() {
	pmem-store ls 2>/dev/null | grep -q "$1"
}

case ${1-} in
serve) serve ;;
work) work ;;
*)
	cd "$(dirname "$0")/../.."
	exec lab/lab run --hosts 2 --timeout 300 -- bash $self serve
	;;
esac
