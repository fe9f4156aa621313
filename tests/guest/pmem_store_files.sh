#!/bin/bash
# pmem_store_files.sh -- several files are one store: where objects are, breaks, moves, kills
. "$(dirname "$0")/lib.sh"
need_store

A=$STORE_DIR/a
B=$STORE_DIR/b
C=$STORE_DIR/c
FILES=("$A" "$B" "$C")

# lives_in NAME: the file whose mirror has an entry of this name
lives_in() {
	local file
	for file in "${FILES[@]}"; do
		if grep -aqF "$1" "$file.mirror"; then printf '%s\n' "$file"; fi
	done
}

# all_equal NAME...
all_equal() {
	local name
	for name; do same_as_stored "$name" "$WORK/$name"; done
}

# away COMMAND...: it ends with 1 and says that the file is away
away() {
	expect 1 "$@" --patience 0
	grep -q 'the file is away' "$WORK/err" || fail "$(cat "$WORK/err")"
}

case_of "objects are spread over the files, and the clients do not see it"
start_server --size 4M
names=()
for i in 1 2 3 4 5 6; do
	names+=("object$i")
	make_file "$WORK/object$i" $((900000 + i))
	expect 0 pmem-store put "object$i" <"$WORK/object$i"
done
all_equal "${names[@]}"
for file in "${FILES[@]}"; do
	grep -aqF object "$file.mirror" || fail "$file has no object"
done
[[ $(pmem-store ls | awk '{ print $3 }') == "$(printf '%s\n' "${names[@]}")" ]] || fail "$(pmem-store ls)"
mkdir "$WORK/all"
expect 0 pmem-store get-all "$WORK/all"
for name in "${names[@]}"; do cmp "$WORK/all/$name" "$WORK/$name" || fail "get-all: $name"; done

case_of "more than a file has is told with the room that one has"
make_file "$WORK/big" 4200000
expect 1 pmem-store put big <"$WORK/big"
grep -Eq 'full: 4200000 bytes wanted, [0-9]+ free' "$WORK/err" || fail "$(cat "$WORK/err")"

case_of "one file is away: the others are served, read and written"
gone=$(lives_in object1)
exec 7>>"$gone"
wait_for "the fence" 10 log_reached "^$gone: FENCED" 1
here=()
there=()
for name in "${names[@]}"; do
	if [[ $(lives_in "$name") == "$gone" ]]; then there+=("$name"); else here+=("$name"); fi
done
printf '  %d objects are away, %d are here\n' ${#there[@]} ${#here[@]}
((${#here[@]} > 0)) || fail "all objects are in one file"
expect 0 pmem-store put during --patience 0 <"$WORK/object1"
[[ $(lives_in during) != "$gone" ]] || fail "it was put into the file that is away"
for name in "${here[@]}"; do
	expect 0 pmem-store get "$name" --patience 0
	cmp "$WORK/out" "$WORK/$name" || fail "$name is different"
done
make_file "$WORK/${here[0]}" 500000
expect 0 pmem-store put "${here[0]}" --patience 0 <"$WORK/${here[0]}"
expect 0 pmem-store rm during --patience 0
away pmem-store get "${there[0]}"
away pmem-store put "${there[0]}" <"$WORK/big"
away pmem-store rm "${there[0]}"
away pmem-store ls
expect 1 pmem-store get nothing --patience 0
grep -q 'no object of this name' "$WORK/err" || fail "$(cat "$WORK/err")"
exec 7>&-
wait_for "the server to serve again" 60 log_reached "^$gone: serving again" 1
all_equal "${names[@]}"

case_of "truncated one after the other, while a client writes"
for i in 1 2 3; do make_file "$WORK/w$i" 700000; done
writer() {
	local i=0
	while [[ ! -e $WORK/stop ]]; do
		i=$((i % 3 + 1))
		pmem-store put "w$i" <"$WORK/w$i" 2>>"$WORK/writer.err" || exit 1
	done
}
writer &
client=$!
for file in "${FILES[@]}"; do
	: >"$file"
	sleep 0.3
done
for file in "${FILES[@]}"; do
	wait_for "the server to serve again" 60 log_reached "^$file: RESTORED: .*size 4194304 -> 0" 1
	wait_for "the server to serve again" 60 log_reached "^$file: serving again" 1
done
wait_for "three objects" 60 test "$(pmem-store ls | grep -c ' w[123]$')" = 3
touch "$WORK/stop"
wait "$client" || fail "the client gave up: $(tail -n 3 "$WORK/writer.err")"
all_equal "${names[@]}" w1 w2 w3

case_of "what does not fit beside its old version moves, and is there once"
for name in "${names[@]}" w1 w2 w3; do expect 0 pmem-store rm "$name"; done
moves=0
last=
for i in 1 2 3 4; do
	make_file "$WORK/moving" $((2200000 + i))
	expect 0 pmem-store put moving <"$WORK/moving"
	all_equal moving
	[[ $(lives_in moving | wc -l) == 1 ]] || fail "it is in $(lives_in moving)"
	[[ $(lives_in moving) == "$last" ]] || moves=$((moves + 1))
	last=$(lives_in moving)
done
((moves == 4)) || fail "it moved $moves times"
[[ $(pmem-store ls | wc -l) == 1 ]] || fail "$(pmem-store ls)"

case_of "removed, it does not come back from where it was before"
expect 0 pmem-store rm moving
kill_server
start_server
expect 1 pmem-store get moving
[[ ! $(pmem-store ls) ]] || fail "$(pmem-store ls)"

case_of "killed while it moves: the old one or the new one, and once"
make_file "$WORK/committed" 2200000
expect 0 pmem-store put moving <"$WORK/committed"
mover() {
	while :; do
		make_file "$WORK/tried" $((2200000 + RANDOM))
		pmem-store put --patience 0 moving <"$WORK/tried" 2>/dev/null || break
		mv "$WORK/tried" "$WORK/committed"
	done
}
old=0
new=0
for round in 1 2 3 4 5 6; do
	mover &
	client=$!
	sleep "0.$((RANDOM % 6 + 2))$((RANDOM % 10))"
	kill_server
	wait "$client" || true
	start_server
	pmem-store get moving >"$WORK/got" || fail "it is lost, round $round"
	if cmp -s "$WORK/got" "$WORK/committed"; then
		old=$((old + 1))
	elif cmp -s "$WORK/got" "$WORK/tried"; then
		new=$((new + 1))
		mv "$WORK/tried" "$WORK/committed"
	else
		fail "it is neither the old one nor the new one, round $round"
	fi
	[[ $(lives_in moving | wc -l) == 1 ]] || fail "round $round: it is in $(lives_in moving)"
	[[ $(pmem-store ls | wc -l) == 1 ]] || fail "$(pmem-store ls)"
done
printf '  %d times the committed one, %d times the one whose put did not return\n' "$old" "$new"
stop_server

case_of "without mirrors only the objects of the file that was destroyed are lost"
rm -f "$A"* "$B"* "$C"*
start_server --size 4M --no-mirror
for name in "${names[@]}"; do
	make_file "$WORK/$name" 300000
	expect 0 pmem-store put "$name" <"$WORK/$name"
done
: >"$B"
wait_for "the server to serve again" 60 log_reached "^$B: serving again" 1
lost=$(pmem-store ls | grep -c 'DESTROYED$') || true
((lost > 0 && lost < ${#names[@]})) || fail "$lost objects are lost"
grep -q "^$B:   objects DESTROYED, they cannot be read: $lost" "$LOG" || fail "that is not told"
for name in $(pmem-store ls | awk 'NF == 3 { print $3 }'); do all_equal "$name"; done
stop_server
