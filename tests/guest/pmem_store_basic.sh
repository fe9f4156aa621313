#!/bin/bash
# pmem_store_basic.sh -- put, get, ls, rm, overwriting, a full store, starting again
. "$(dirname "$0")/lib.sh"
need_store

listed() {
	pmem-store ls | awk -v name="$1" '$3 == name { print $1 }'
}

put_half() {
	pmem-store put half <"$WORK/half" 2>/dev/null
}

sizes=(0 1 4095 4096 4097 1048576 1048577 3000000)

case_of "the server says what it decided"
start_server --size 16M
grep -q '^trust: ' "$LOG" || fail "no verdict on trust"
grep -q "^plan: $(right_method): " "$LOG" || fail "not planned as $(right_method)"
sed -n 's/^plan: \|^transfers: /  &/p' "$LOG"
grep -Eq '^keys: data rkey 0x[0-9a-f]+, .*generation 1$' "$LOG" || fail "no keys"

case_of "objects of every size come back as they were"
for size in "${sizes[@]}"; do
	make_file "$WORK/o$size" "$size"
	expect 0 pmem-store put "o$size" <"$WORK/o$size"
	same_as_stored "o$size" "$WORK/o$size"
	[[ $(listed "o$size") == "$size" ]] || fail "ls says $(listed "o$size") for $size bytes"
done

case_of "an object is in FILE where its checksum says, and in the mirror"
[[ $(stat -c %a "$STORE.mirror") == 600 ]] || fail "the mirror can be read by others"
[[ $(stat -c %s "$STORE.mirror") == 16777216 ]] || fail "the mirror has another size"

case_of "overwriting gives the new bytes"
make_file "$WORK/new" 70000
expect 0 pmem-store put o4097 <"$WORK/new"
same_as_stored o4097 "$WORK/new"
[[ $(pmem-store ls | awk '$3 == "o4097"' | wc -l) == 1 ]] || fail "two objects of one name"

case_of "what is removed is gone, and only that"
expect 0 pmem-store rm o1
expect 1 pmem-store get o1
grep -q 'no object of this name' "$WORK/err" || fail "$(cat "$WORK/err")"
expect 1 pmem-store rm o1
same_as_stored o1048577 "$WORK/o1048577"

case_of "a full store says so, with the numbers, and keeps what it has"
make_file "$WORK/big" 17000000
expect 1 pmem-store put big <"$WORK/big"
grep -Eq 'full: 17000000 bytes wanted, [0-9]+ free' "$WORK/err" || fail "$(cat "$WORK/err")"
expect 1 pmem-store get big
head -c 9000000 "$WORK/big" >"$WORK/half"
expect 0 pmem-store put half <"$WORK/half"
expect 1 pmem-store put half <"$WORK/half" # the old and the new do not both fit
same_as_stored half "$WORK/half"

case_of "a client that dies gives its room back"
expect 0 pmem-store rm half
for pause in 0.08 0.12 0.16 0.2 0.24; do
	pmem-store put killed <"$WORK/half" &
	sleep "$pause"
	kill -9 $! 2>/dev/null || true
	wait $! 2>/dev/null || true
done
pmem-store rm killed 2>/dev/null || true # where the last was killed too late
wait_for "room for the object" 10 put_half
same_as_stored half "$WORK/half"

case_of "several clients at once"
for i in 1 2 3 4; do
	make_file "$WORK/many$i" $((200000 + i))
	pmem-store put "many/$i" <"$WORK/many$i" &
	clients[i]=$!
done
for i in 1 2 3 4; do
	wait "${clients[i]}" || fail "client $i"
	same_as_stored "many/$i" "$WORK/many$i"
done

case_of "several files on one connection"
mkdir "$WORK/all"
(cd "$WORK" && printf '%s\n' o4096 o1048576 new | pmem-store put-files >/dev/null) || fail "put-files"
expect 0 pmem-store get-all "$WORK/all"
for pair in o4096:o4096 new:new many/3:many3; do
	cmp "$WORK/all/${pair%:*}" "$WORK/${pair#*:}" || fail "get-all gave something else"
done

case_of "everything is there after the server was started again"
pmem-store ls >"$WORK/before"
stop_server
start_server --size 16M
pmem-store ls >"$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "the listing changed"
same_as_stored o3000000 "$WORK/o3000000"

case_of "what somebody destroyed while no server ran comes from the mirror"
stop_server
: >"$STORE"
start_server --size 16M
grep -q 'repaired from the mirror: ' "$LOG" || fail "nothing was repaired"
pmem-store ls >"$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "the listing changed"
same_as_stored o3000000 "$WORK/o3000000"

case_of "a lost mirror is made again, one of another store is refused"
stop_server
mv "$STORE.mirror" "$STORE.old"
start_server
grep -q 'a new mirror was made' "$LOG" || fail "no new mirror"
same_as_stored o3000000 "$WORK/o3000000"
stop_server
cp "$STORE.old" "$STORE.stale"
start_server --no-mirror
expect 0 pmem-store put later <"$WORK/new"
stop_server
expect 1 pmem-store serve "$STORE" --addr "$PINREG_HOST_A" --mirror "$STORE.stale"
grep -q 'is older than' "$WORK/err" || fail "$(cat "$WORK/err")"
rm "$STORE.mirror"
start_server
same_as_stored later "$WORK/new"
[[ ! -e $STORE.index ]] || fail "a copy of the index that is not followed was left"
stop_server
