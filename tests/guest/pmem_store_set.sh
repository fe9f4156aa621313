#!/bin/bash
# pmem_store_set.sh -- files that were served together are served together, or not at all
. "$(dirname "$0")/lib.sh"
need_store

A=$STORE_DIR/a
B=$STORE_DIR/b
FILES=("$A" "$B")

# refused STATUS WORDS FILE...: with these words; and the two files are as before
refused() {
	local status=$1 words=$2
	shift 2
	sha256sum "$A" "$B" "$A.mirror" "$B.mirror" >"$WORK/before" 2>/dev/null || true
	expect "$status" timeout 60 pmem-store serve --addr "$PINREG_HOST_A" "$@"
	grep -q "$words" "$WORK/err" || fail "no word of '$words' in: $(cat "$WORK/err")"
	sha256sum "$A" "$B" "$A.mirror" "$B.mirror" >"$WORK/after" 2>/dev/null || true
	cmp "$WORK/before" "$WORK/after" || fail "a refused start changed a file"
	printf '  %s\n' "$(tail -n 1 "$WORK/err")"
}

all_there() {
	local i
	for i in 1 2 3 4; do same_as_stored "object$i" "$WORK/object$i"; done
	[[ $(pmem-store ls | wc -l) == 4 ]] || fail "$(pmem-store ls)"
}

# not_served FILE...: as if it had been killed before anybody was served
not_served() {
	local file
	for file; do
		dd if=/dev/zero of="$file" bs=8 seek=257 count=1 conv=notrunc status=none
	done
}

case_of "killed while the set is made: it is made the next time, whatever there is of it"
early=0
for pause in 0 0 0.02 0.05 0.1; do
	rm -f "$A"* "$B"*
	start_without_waiting --size 32M
	until [[ $(<"$LOG") == *keys:* ]]; do kill -0 "$SERVER" || fail "the server ended"; done
	[[ $pause == 0 ]] || sleep "$pause"
	kill_server
	grep -q '^ready' "$LOG" || early=$((early + 1))
	start_server --size 32M
	stop_server
done
printf '  %d of 5 were killed before they were ready\n' "$early"
((early > 0)) || fail "none was killed early enough"
rm -f "$A"* "$B"*
start_server --size 2M
stop_server
not_served "$A" "$A.mirror"
: >"$B"
rm "$B.mirror"
start_server --size 2M
grep -q "^$B: a new store was made" "$LOG" || fail "it was not made"
stop_server
start_server
for i in 1 2 3 4; do
	make_file "$WORK/object$i" $((400000 + i))
	expect 0 pmem-store put "object$i" <"$WORK/object$i"
done
stop_server

case_of "a part of the set, more than the set, one file twice"
refused 1 'belongs to a set of 2, and 1 files were given' "$A"
refused 1 'belongs to a set of 2, and 1 files were given' "$B"
refused 1 'belongs to a set of 2, and 3 files were given' "$A" "$B" "$STORE_DIR/c" --size 2M
[[ ! -e $STORE_DIR/c ]] || fail "the third file was left behind"
refused 3 'are one file' "$A" "$STORE_DIR/../${STORE_DIR##*/}/a"
ln "$A" "$STORE_DIR/link"
refused 3 'are one file' "$A" "$STORE_DIR/link"
rm "$STORE_DIR/link"

case_of "a file of another set, a copy, a new file in the place of one"
FILES=("$STORE_DIR/c" "$STORE_DIR/d")
start_server --size 2M
stop_server
refused 1 'belong to different sets' "$A" "$STORE_DIR/c"
cp "$A" "$STORE_DIR/copy"
cp "$A.mirror" "$STORE_DIR/copy.mirror"
refused 1 'one is a copy' "$A" "$STORE_DIR/copy"
refused 1 'is new, or destroyed together with its mirror' "$A" "$STORE_DIR/new" --size 2M
[[ ! -e $STORE_DIR/new ]] || fail "the new file was left behind"
mv "$B.mirror" "$WORK/b.mirror"
cp "$B" "$WORK/b"
head -c 2M /dev/zero >"$B"
refused 1 'is new, or destroyed together with its mirror' "$A" "$B" --size 2M
cp "$WORK/b" "$B"
mv "$WORK/b.mirror" "$B.mirror"

case_of "a mirror in the place of a file, one mirror for two files, mirrors elsewhere"
refused 1 'no place for what follows' "$A" "$B" --mirror "$B" --mirror "$A"
refused 1 'another server has the mirror' "$A" "$B" --mirror "$A.mirror" --mirror "$A.mirror"
FILES=("$A" "$B")
mv "$A.mirror" "$WORK/a.elsewhere"
mv "$B.mirror" "$WORK/b.elsewhere"
start_server --mirror "$WORK/a.elsewhere" --mirror "$WORK/b.elsewhere"
all_there
stop_server
mv "$WORK/a.elsewhere" "$A.mirror"
mv "$WORK/b.elsewhere" "$B.mirror"

case_of "the order of the files does not matter"
FILES=("$B" "$A")
start_server
all_there
stop_server

case_of "a file that was removed comes back from its mirror, as the one of the set that it was"
FILES=("$A" "$B")
rm "$A"
start_server --size 2M
all_there
stop_server
start_server
all_there
stop_server
