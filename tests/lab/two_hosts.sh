#!/bin/bash
# two_hosts.sh -- a peer on another machine goes on through broken leases
#
# On the host it boots a pair of guests. On host A it calls itself, "serve": the files are
# there, and whoever breaks their leases. On host B, "work", are the clients, who know
# nothing of that. What they write and read back goes over the wire between the two.
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "$0")" && pwd)
project=$(dirname "$(dirname "$here")")
examples=/opt/pinreg/build/examples
port=7471
breaks=6

fail() {
	printf 'FAIL: %s\n' "$*"
	tail -n 40 /tmp/serve.log /tmp/client 2>/dev/null || true
	exit 1
}

# wait_for WHAT COMMAND...: for half a minute
wait_for() {
	local what=$1 tries
	shift
	for ((tries = 0; tries < 600; tries++)); do
		! "$@" || return 0
		sleep 0.05
	done
	fail "waited in vain for: $what"
}

lines() {
	(($(grep -c "$1" "$2") >= $3))
}

serve() {
	"$@" >/tmp/serve.log 2>&1 &
	server=$!
	wait_for "the server to be ready" lines '^ready' /tmp/serve.log 1
}

# Somebody on host A comes, a different one each time; and the file is back.
break_leases() {
	local n restored=$1
	for ((n = 1; n <= breaks; n++)); do
		sleep 0.7
		case $((n % 3)) in
		0) : <"$file" ;;
		1) : >>"$file" ;;
		2) perl -e 'truncate($ARGV[0], -s $ARGV[0]) or die "$!\n"' "$file" ;;
		esac
		wait_for "the file to come back" lines "$restored" /tmp/serve.log "$n"
	done
}

# ---- on host B ----------------------------------------------------------------

# Objects are put one after the other; none may fail, and all are there in the end.
work_store() {
	local n=0 name
	mkdir -p /tmp/objects
	while [[ ! -e /tmp/stop ]]; do
		n=$((n + 1))
		head -c $((300000 + RANDOM * 20)) /dev/urandom >/tmp/objects/$((n % 7))
		pmem-store put "object$((n % 7))" </tmp/objects/$((n % 7)) 2>>/tmp/objects.err ||
			{ cat /tmp/objects.err; exit 1; }
	done
	for name in /tmp/objects/*; do
		pmem-store get "object${name##*/}" | cmp - "$name"
	done
	printf '%d objects put, each of the last %d is as it was put\n' "$n" "$(find /tmp/objects -type f | wc -l)"
	printf '%d times the client went on by itself\n' "$(grep -c 'went on by itself' /tmp/objects.err)"
}

work() {
	export PMEM_STORE_ADDR=$PINREG_HOST_A
	case $1 in
	renew) "$examples/02-renew-client" "$PINREG_HOST_A" $port 30 careless ;;
	store) work_store ;;
	esac
}

# ---- on host A ----------------------------------------------------------------

through_renewals() {
	local client
	file=/pmem/xfs/two_hosts
	serve "$examples/02-renew-server" "$file" "$PINREG_HOST_A" $port
	on-b /src/tests/lab/two_hosts.sh work renew >/tmp/client 2>&1 &
	client=$!
	wait_for "the client to write" lines '^generation' /tmp/client 1
	break_leases '^restored'
	wait "$client" || fail "the client failed"
	cat /tmp/client
	lines 'remote access error$' /tmp/client 1 || fail "no key died in use"
	grep -Eq "^[1-9][0-9]* pieces, $breaks renewals" /tmp/client || fail "not $breaks renewals"
	kill "$server"
	wait "$server"
}

through_a_store() {
	local client
	file=/pmem/ext4/two_hosts
	serve pmem-store serve "$file" --size 32M --addr "$PINREG_HOST_A" --granularity page
	on-b /src/tests/lab/two_hosts.sh work store >/tmp/client 2>&1 &
	client=$!
	wait_for "the client to put" lines . /tmp/serve.log 2
	break_leases '^serving again'
	on-b touch /tmp/stop
	wait "$client" || fail "the client failed"
	cat /tmp/client
	kill "$server"
	wait "$server"
}

case ${1-} in
serve)
	through_renewals
	through_a_store
	echo "two hosts are done"
	;;
work) work "$2" ;;
*)
	out=$(mktemp)
	trap 'rm -f "$out"' EXIT
	"$project/lab/lab" run --hosts 2 --timeout 400 -- bash /src/tests/lab/two_hosts.sh serve | tee "$out"
	grep -qx 'two hosts are done' "$out"
	;;
esac
