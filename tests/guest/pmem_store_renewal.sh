#!/bin/bash
# pmem_store_renewal.sh -- clients get the new keys by themselves
. "$(dirname "$0")/lib.sh"
need_store

make_file "$WORK/first" 1500000
make_file "$WORK/second" 1600000
make_file "$WORK/big" 24000000

# idle_client: it puts the files whose names it gets from descriptor 8
idle_client() {
	mkfifo "$WORK/names"
	(cd "$WORK" && exec pmem-store put-files <names >idle.out 2>idle.err) &
	CLIENT=$!
	exec 8>"$WORK/names"
	rm "$WORK/names"
}

listed() {
	pmem-store ls 2>/dev/null | grep -q " $1\$"
}

# break_it: by somebody who truncates the file; it is served again
break_it() {
	local before
	before=$(log_lines '^serving again')
	: >"$STORE"
	served_again $((before + 1))
}

case_of "a client that is idle during a break uses the new keys, and notices nothing"
start_server --size 64M
idle_client
echo first >&8
wait_for "the first object" 20 listed first
break_it
echo second >&8
wait_for "the second object" 20 listed second
[[ ! -s $WORK/idle.err ]] || fail "it noticed: $(<"$WORK/idle.err")"

case_of "during so many breaks that nobody takes the keys off its connection"
for _ in {1..18}; do break_it; done
expect 0 pmem-store rm first
echo first >&8
wait_for "the first object again" 60 listed first
exec 8>&-
wait "$CLIENT" || fail "it gave up: $(<"$WORK/idle.err")"
sed 's/^/  /' "$WORK/idle.err"
same_as_stored first "$WORK/first"
same_as_stored second "$WORK/second"

case_of "a client that waits for the file is told, and keeps its connection"
exec 7>>"$STORE"
wait_for "the fence" 10 log_reached '^FENCED' $(($(log_lines '^RESTORED') + 1))
pmem-store get first >"$WORK/waited" 2>"$WORK/waited.err" 7>&- &
CLIENT=$!
pmem-store ls >"$WORK/listed" 2>"$WORK/listed.err" 7>&- &
LISTER=$!
connected() {
	rdma resource show qp | grep -q "state RTS .*pid $1 "
}
wait_for "a connection" 30 connected "$CLIENT"
wait_for "a connection" 30 connected "$LISTER"
sleep 1
exec 7>&-
wait "$CLIENT" || fail "get: $(<"$WORK/waited.err")"
wait "$LISTER" || fail "ls: $(<"$WORK/listed.err")"
cmp "$WORK/waited" "$WORK/first" || fail "other bytes"
(($(wc -l <"$WORK/listed") == 2)) || fail "$(<"$WORK/listed")"
for err in waited listed; do
	grep -q 'with the new keys that were sent' "$WORK/$err.err" || fail "$(<"$WORK/$err.err")"
	sed -n 's/.*\(went on\)/  \1/p' "$WORK/$err.err"
done

case_of "a client in the middle of a transfer goes on"
interrupted=0
for n in {1..12}; do
	pmem-store put big <"$WORK/big" 2>"$WORK/big.err" &
	CLIENT=$!
	sleep "0.$((RANDOM % 7 + 1))$((RANDOM % 10))"
	break_it
	wait "$CLIENT" || fail "it gave up: $(<"$WORK/big.err")"
	same_as_stored big "$WORK/big"
	[[ ! -s $WORK/big.err ]] || sed 's/^pmem-store: /  /' "$WORK/big.err"
	if grep -Eq 'away meanwhile|keys are dead|reset' "$WORK/big.err"; then
		interrupted=$((interrupted + 1))
	fi
	((interrupted < 3)) || break
done
((interrupted > 0)) || fail "none of $n was interrupted in the middle"
stop_server
