#!/bin/bash
# pmem_store_away.sh -- FILE is removed, kept open, changed or replaced by somebody
. "$(dirname "$0")/lib.sh"
need_store

make_file "$WORK/kept1" 2500001
make_file "$WORK/kept2" 1234567
make_file "$WORK/other" 1000000
start_server --size 32M
expect 0 pmem-store put kept1 <"$WORK/kept1"
expect 0 pmem-store put kept2 <"$WORK/kept2"

case_of "removed: nobody is disturbed, and the mirror has it all the next time"
rm "$STORE"
sleep 0.2
[[ $(log_lines '^BREAK') == 0 ]] || fail "rm broke the lease"
expect 0 pmem-store put after <"$WORK/other"
stop_server
start_server --size 32M
same_as_stored kept1 "$WORK/kept1"
same_as_stored kept2 "$WORK/kept2"
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
