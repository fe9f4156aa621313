#!/bin/bash
# example_renew.sh -- 02-renew: a client writes on while others open the server's file
#
# RENEW_CLIENT_ON: a command that runs another one on the client's host; empty: this host.
. "$(dirname "$0")/lib.sh"

examples=${PINREG_BUILD_DIR:-/opt/pinreg/build}/examples
port=7471
breaks=3

[[ -n ${PINREG_HOST_A-} ]] || skip "no RDMA device: this runs in the lab's guest"
mountpoint -q /pmem/ext4 || skip "no DAX filesystem on /pmem/ext4"
STORE_DIR=$(mktemp -d /pmem/ext4/renew.XXXXXX)
file=$STORE_DIR/file

"$examples/02-renew-server" "$file" "$PINREG_HOST_A" $port >"$LOG" 2>&1 &
SERVER=$!
wait_for "the server to be ready" 60 log_reached '^ready' 1

# run_client [careless]: every generation is reached while it writes
run_client() {
	local before client start
	before=$(log_lines '^restored')
	${RENEW_CLIENT_ON-} "$examples/02-renew-client" "$PINREG_HOST_A" $port $breaks "$@" >"$WORK/client" 2>&1 &
	client=$!
	wait_for "the client to write" 15 grep -q '^generation' "$WORK/client"
	for ((n = 1; n <= breaks; n++)); do
		sleep 1
		start=$(date +%s%N)
		: <"$file"
		printf 'let in after %d ms\n' $((($(date +%s%N) - start) / 1000000))
		wait_for "the file to come back" 20 log_reached '^restored' $((before + n))
		wait_for "the client to have the new key" 20 \
			grep -q "^generation $((before + n + 1)), rkey" "$WORK/client"
	done
	wait "$client" || { cat "$WORK/client"; fail "the client failed"; }
	cat "$WORK/client"
}

case_of "keys are taken back before they die"
run_client
grep -Eq "^[1-9][0-9]* pieces, $breaks renewals" "$WORK/client" || fail "no $breaks renewals"

case_of "keys die while they are used: the client connects again"
run_client careless
# only Soft-RoCE of Linux 6.1 is silent at times: then he connects again and uses the key again
silent=$(grep -c 'no answer$' "$WORK/client" || true)
if ((silent)) && [[ $(uname -r) != 6.1.* ]]; then fail "no answer"; fi
grep -Eq "^[1-9][0-9]* pieces, $breaks renewals, $((breaks + 1 + silent)) connections" "$WORK/client" ||
	fail "no $breaks renewals over as many new connections"
(($(grep -c 'remote access error$' "$WORK/client") == breaks)) || fail "not $breaks dead keys"

stop_server
