#!/bin/bash
# pmem_store_lease_break.sh -- somebody else wants the file while a client writes
# shellcheck disable=SC2016 # what other programs expand
. "$(dirname "$0")/lib.sh"
need_store
need_odp

limit_ms=100
breaks=0

# A client that puts one object after the other until it is told to stop. It is
# never told of a break: a put that fails is a failure of the test.
writer() {
	local n=0
	while [[ ! -e $WORK/stop ]]; do
		n=$((n % 3 + 1))
		pmem-store put "written$n" <"$WORK/written$n" 2>>"$WORK/writer.err" || exit 1
	done
}

all_equal() {
	local name
	for name in kept1 kept2 kept3 written1 written2 written3; do
		same_as_stored "$name" "$WORK/$name"
	done
}

# broken_by WHAT COMMAND...: in the middle of the writing; then all is as it was
broken_by() {
	local what=$1 ms drained
	shift
	sleep 0.3
	timeout 30 "$@" || fail "$what: the outsider itself failed"
	breaks=$((breaks + 1))
	served_again "$breaks"
	ms=$(sed -n 's/^FENCED: let go after \([0-9.]*\) ms$/\1/p' "$LOG" | tail -n 1)
	drained=$(sed -n 's/^BREAK: .* drained after \([0-9.]*\) ms$/\1/p' "$LOG" | tail -n 1)
	printf '  %s: drained after %s ms, let go after %s ms\n' "$what" "$drained" "$ms"
	awk -v ms="$ms" -v limit="$limit_ms" 'BEGIN { exit !(ms != "" && ms < limit) }' ||
		fail "$what: $ms ms, the limit is $limit_ms"
	kill -0 "$WRITER" || fail "$what: the client gave up: $(tail -n 3 "$WORK/writer.err")"
	grep '^RESTORED' "$LOG" | tail -n 1 | grep -q "generation $((breaks + 1))," ||
		fail "$what: no new generation"
}

start_server --size 32M
for name in kept1 kept2 kept3 written1 written2 written3; do
	make_file "$WORK/$name" $((2500000 + RANDOM))
	expect 0 pmem-store put "$name" <"$WORK/$name"
done
make_file "$WORK/other" 1000000
writer &
WRITER=$!

case_of "truncated to a smaller size"
broken_by "truncate" perl -e 'truncate($ARGV[0], 5000000) or die "$!\n"' "$STORE"
grep '^RESTORED' "$LOG" | grep -q 'size 33554432 -> 5000000' || fail "the sizes are not told"
grep -q 'repaired from the mirror' "$LOG" || fail "nothing was repaired"

case_of "truncated to nothing"
broken_by "truncate to 0" bash -c ': >"$1"' - "$STORE"

case_of "copied over"
broken_by "cp" cp "$WORK/other" "$STORE"

case_of "appended to"
broken_by "append" bash -c 'echo appended >>"$1"' - "$STORE"

case_of "read by somebody"
broken_by "reader" cp "$STORE" "$WORK/copy"
grep -q '^BREAK: somebody opens the file for reading' "$LOG" || fail "the reader was not told of"

case_of "the client went on by itself"
touch "$WORK/stop"
wait "$WRITER" || fail "the client gave up: $(tail -n 3 "$WORK/writer.err")"
grep -q 'went on by itself' "$WORK/writer.err" || fail "no put was interrupted"
all_equal

case_of "an opener that does not wait is turned away and breaks nothing for good"
perl -e 'use Fcntl; sysopen(F, $ARGV[0], O_WRONLY | O_NONBLOCK) and exit 1' "$STORE" ||
	fail "it was opened under the lease"
breaks=$((breaks + 1))
served_again "$breaks"
all_equal

case_of "removed: nobody is disturbed, and the mirror has it all the next time"
rm "$STORE"
sleep 0.2
[[ $(log_lines '^BREAK') == "$breaks" ]] || fail "rm broke the lease"
expect 0 pmem-store put after <"$WORK/other"
stop_server
start_server --size 32M
all_equal
same_as_stored after "$WORK/other"
stop_server

case_of "kept open by somebody: the client waits, then goes on"
start_server --size 32M --mirror "$WORK/mirror"
all_wait() {
	expect 1 pmem-store get --patience 0 kept1
	grep -q 'the file is away' "$WORK/err" || fail "$(cat "$WORK/err")"
}
expect 0 pmem-store put kept1 <"$WORK/kept1"
exec 7>>"$STORE"
wait_for "the fence" 10 log_reached '^FENCED' 1
all_wait
pmem-store get --patience 30 kept1 >"$WORK/late" 2>"$WORK/late.err" 7>&- &
CLIENT=$!
sleep 0.5
exec 7>&-
wait "$CLIENT" || fail "the client gave up: $(cat "$WORK/late.err")"
cmp "$WORK/late" "$WORK/kept1" || fail "kept1 came back different"

case_of "ended while somebody has the file open"
exec 7>>"$STORE"
wait_for "the fence" 10 log_reached '^FENCED' 2
all_wait
stop_server
exec 7>&-

case_of "changed while no server ran, and served with the size of its mirror"
cp "$WORK/other" "$STORE"
start_server --mirror "$WORK/mirror"
same_as_stored kept1 "$WORK/kept1"

case_of "replaced by another file: lost, and the server says so"
exec 7>>"$STORE"
wait_for "the fence" 10 log_reached '^FENCED' 1
rm "$STORE"
: >"$STORE"
exec 7>&-
wait_for "the end of the server" 60 log_reached '^LOST: ' 1
status=0
wait "$SERVER" || status=$?
SERVER=
((status == 1)) || fail "the server ended with status $status"
sed -n 's/^LOST/  LOST/p' "$LOG"

case_of "without a mirror the destroyed is told, and never given out"
rm -f "$STORE" "$STORE.mirror"
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
stop_server
