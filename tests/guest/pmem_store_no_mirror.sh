#!/bin/bash
# pmem_store_no_mirror.sh -- what was destroyed and cannot be brought back is told, not forgotten
. "$(dirname "$0")/lib.sh"
need_store

make_file "$WORK/kept1" 2500001
make_file "$WORK/kept2" 1234567

case_of "without a mirror the destroyed is told, and never given out"
start_server --size 32M --no-mirror
expect 0 pmem-store put kept1 <"$WORK/kept1"
expect 0 pmem-store put kept2 <"$WORK/kept2"
echo appended >>"$STORE"
served_again 1
same_as_stored kept1 "$WORK/kept1"
: >"$STORE"
served_again 2
grep -q 'objects DESTROYED, they cannot be read: 2' "$LOG" || fail "the damage is not told"
expect 1 pmem-store get kept1
grep -q 'destroyed' "$WORK/err" || fail "$(cat "$WORK/err")"
[[ ! -s $WORK/out ]] || fail "bytes of a destroyed object were given out"
[[ $(pmem-store ls | grep -c 'DESTROYED$') == 2 ]] || fail "ls does not mark them"
expect 0 pmem-store put kept1 <"$WORK/kept1"
same_as_stored kept1 "$WORK/kept1"

case_of "and not forgotten where the server was killed before it could put FILE right"
for size in 0 4096 8192; do
	kill -STOP "$SERVER"
	perl -e 'truncate($ARGV[0], $ARGV[1]) or die "$!\n"' "$STORE" "$size" &
	CLIENT=$!
	wait_for "the break" 10 grep -q 'LEASE  *BREAKING' /proc/locks
	kill -9 "$SERVER"
	wait "$SERVER" 2>/dev/null || true
	wait "$CLIENT" || fail "truncate"
	start_server --no-mirror
	[[ $(pmem-store ls | grep -c 'DESTROYED$') == 2 ]] || fail "$size bytes: $(pmem-store ls)"
	expect 1 pmem-store get kept2
	grep -q 'destroyed' "$WORK/err" || fail "$(cat "$WORK/err")"
done
expect 0 pmem-store put kept2 <"$WORK/kept2"
same_as_stored kept2 "$WORK/kept2"
stop_server

case_of "nor where it is served in another way after that"
: >"$STORE"
expect 1 pmem-store serve "$STORE" --size 32M --addr "$PINREG_HOST_A"
grep -q 'knows what it held: serve it with --no-mirror' "$WORK/err" || fail "$(cat "$WORK/err")"
rm "$STORE.index"
start_server --size 32M
grep -q '^a new store was made' "$LOG" || fail "no new store"
expect 0 pmem-store put kept1 <"$WORK/kept1"
stop_server
: >"$STORE"
expect 1 pmem-store serve "$STORE" --size 32M --addr "$PINREG_HOST_A" --no-mirror
grep -q 'knows what it held: serve it without --no-mirror' "$WORK/err" || fail "$(cat "$WORK/err")"
start_server
same_as_stored kept1 "$WORK/kept1"
stop_server
