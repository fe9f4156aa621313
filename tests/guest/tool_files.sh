#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tool_files.sh -- pinreg prepare, verify, seal, unseal and recover on DAX files
#
# A file's way from nothing to sealed, and what kill -9 leaves of it on the way;
# the members of the JSON are those of docs/file-commands.md.
. "$(dirname "$0")/lib.sh"

command -v pinreg >/dev/null || skip "pinreg is not installed"
for mount in /pmem/ext4 /pmem/xfs; do
	mountpoint -q "$mount" || skip "no DAX filesystem on $mount"
done

DOCS=$(dirname "$0")/../../docs
MIB=1048576
OWNER=
clean() {
	[[ -z $OWNER ]] || kill -9 "$OWNER" 2>/dev/null || true
	chattr -f -i "${DIR:-/none}"/* || true
	rm -f /pmem/xfs/data
	rm -rf /pmem/ext4/tool-files.* /pmem/xfs/tool-files.*
	return "$1" # for finish
}
trap 'set +e; clean $?; finish' EXIT

has_record() {
	compgen -G "$DIR/.pinreg-*" >/dev/null
}

# own ARGUMENT...: a process that is stopped in the middle of preparing
own() {
	local try
	pinreg prepare "$@" --threads 1 >"$WORK/owner" 2>&1 &
	OWNER=$!
	for ((try = 0; try < 3000; try++)); do
		! has_record || break
		kill -0 "$OWNER" 2>/dev/null || fail "it ended before it could be stopped: $(<"$WORK/owner")"
		sleep 0.005
	done
	kill -STOP "$OWNER"
	has_record || fail "no record: $(<"$WORK/owner")"
}

kill_owner() {
	kill -9 "$OWNER"
	wait "$OWNER" 2>/dev/null || true
	OWNER=
	has_record || fail "the record went with its owner"
}

files_of() {
	local fs=$1
	DIR=$(mktemp -d "/pmem/$fs/tool-files.XXXXXX")
	FILE=$DIR/data
	local map sum

	case_of "$fs: prepare makes it, and verify finds the same"
	ask 0 ".good and .path == \"$FILE\" and (.file | .dax and .size == 64 * $MIB and .flaws == 0
		and .zeroed == .size and .holes + .unwritten + .shared + .other == 0
		and (.immutable | not)) and .flaws == [] and .time_ms > 0" prepare "$FILE" --size 64M
	map=$(jq .file.block_map "$WORK/out")
	ask 0 ".good and .file.block_map == $map and .file.zeroed == 0 and .file.inode == $(stat -c %i "$FILE")
		and .file.inode_generation != null and .file.device == \"$(mountpoint -d "/pmem/$fs")\"" \
		verify "$FILE"
	ask 0 ".file.zeroed == 0 and .file.block_map == $map" prepare "$FILE"
	! has_record || fail "a record is left"

	case_of "$fs: data is kept, holes and unwritten blocks become zeros"
	dd if=/dev/urandom of="$FILE" bs=1M count=64 conv=notrunc status=none
	ask 0 ".file.block_map == $map" verify "$FILE"
	fallocate -p -o 1M -l 64K "$FILE"
	fallocate -z -o 4M -l 8K "$FILE"
	sum=$(sha256sum <"$FILE")
	ask 1 "(.good | not) and (.file | .flaws == 2 and .holes + .unwritten == 72 * 1024
		and .block_map != $map) and .flaws[0] == {offset: $MIB, length: 65536, flags: []}
		and .flaws[1] == {offset: (4 * $MIB), length: 8192, flags: [\"unwritten\"]}" verify "$FILE"
	ask 0 ".good and .file.zeroed == 72 * 1024" prepare "$FILE"
	[[ $(sha256sum <"$FILE") == "$sum" ]] || fail "other data"

	case_of "$fs: what is not prepared is not sealed"
	fallocate -p -o 0 -l 4K "$FILE"
	ask 1 '.error.status == 1 and .error.errno == "EIO"' seal "$FILE"
	ask 0 '.file.zeroed == 4096' prepare "$FILE"
	sum=$(sha256sum <"$FILE")

	case_of "$fs: sealed, and not"
	ask 0 '.sealed' seal "$FILE"
	ask 0 '.sealed' seal "$FILE"
	! sh -c "echo x >>'$FILE'" 2>"$WORK/err" || fail "it could be written"
	grep -q "not permitted" "$WORK/err" || fail "$(<"$WORK/err")"
	! mv "$FILE" "$FILE.other" 2>/dev/null || fail "it could be renamed"
	ask 0 '.good and .file.immutable' verify "$FILE"
	ask 0 ".left == 0 and (.files | length) == 1 and .files[0].recovery == \"standing\"
		and .files[0].path == \"$FILE\" and .files[0].pid == null" recover "$DIR"
	ask 0 '.sealed | not' unseal "$FILE"
	ask 3 '.error.errno == "ENOENT"' unseal "$FILE"
	ask 0 '.good and (.file.immutable | not)' verify "$FILE"
	! has_record || fail "a record is left"
	ask 0 '.file.immutable' prepare "$FILE" --seal immutable
	ask 0 '.sealed | not' unseal "$FILE"
	[[ $(sha256sum <"$FILE") == "$sum" ]] || fail "other data"

	case_of "$fs: a living owner is left alone"
	own "$FILE" --size 320M
	ask 1 ".left == 1 and .files[0].recovery == \"alive\" and .files[0].pid == $OWNER" recover "$FILE"
	ask 3 '.error.errno == "EBUSY"' verify "$FILE"
	ask 3 '.error.errno == "EBUSY"' prepare "$FILE"

	case_of "$fs: kill -9 while it grows: as before"
	kill_owner
	ask 0 ".left == 0 and .files[0].recovery == \"undone\" and .files[0].new_size == 64 * $MIB" \
		recover "$DIR"
	ask 0 ".good and .file.size == 64 * $MIB" verify "$FILE"
	[[ $(sha256sum <"$FILE") == "$sum" ]] || fail "other data"
	! has_record || fail "a record is left"
	ask 0 '.files[0].recovery == "nothing"' recover "$FILE"

	case_of "$fs: kill -9 while it is made: gone"
	own "$DIR/new" --size 320M
	kill_owner
	ask 0 ".left == 0 and .files[0].recovery == \"removed\" and .files[0].path == \"$DIR/new\"" \
		recover "$DIR"
	[[ ! -e $DIR/new ]] || fail "it is still there"
	ask 0 '.files == [] and .left == 0' recover "$DIR"
	ask 3 '.left == 1 and .files[0].errno == "ENOENT"' recover "$DIR/new"
	: >"$DIR/.pinreg-7fffffffffff"
	ask 1 '.left == 1 and .files[0].recovery == null' recover "$DIR"
	rm "$DIR/.pinreg-7fffffffffff"

	case_of "$fs: SIGINT: as before"
	pinreg prepare "$DIR/new" --size 384M --threads 1 >"$WORK/owner" 2>&1 &
	OWNER=$!
	wait_for "the record" 10 has_record
	kill -INT "$OWNER"
	wait "$OWNER" || true
	OWNER=
	[[ ! -e $DIR/new ]] || ask 0 '.good' verify "$DIR/new" # it was faster
	rm -f "$DIR/new"
	! has_record || fail "a record is left"
}

files_of ext4
rm -rf "$DIR"
files_of xfs

case_of "the session that the README shows"
rm -rf "$DIR"
DIR=/pmem/xfs
FILE=$DIR/data
compgen -G "$DIR/.pinreg-*" >/dev/null && fail "records of others"
sed -n '/^## Files on a command line/,/^## Find/s/^    //p' "$DOCS/../README.md" >"$WORK/shown"
grep -c '^\$ ' "$WORK/shown"
while IFS= read -r line; do
	printf '%s\n' "$line"
	case $line in
	*timeout*KILL*)
		# the same, but surely in the middle
		own "$FILE" --size 512M
		kill_owner 2>/dev/null
		echo Killed
		;;
	*) eval "${line#\$ }" 2>&1 || true ;;
	esac
done < <(grep '^\$ ' "$WORK/shown") >"$WORK/real"
# a boot's own: where blocks lie, how fast it was, and which process
for text in shown real; do
	sed -E -i 's/0x[0-9a-f]{16}/MAP/; s/[0-9.]+ ms/MS/; s/process [0-9]+/process PID/' "$WORK/$text"
done
diff "$WORK/shown" "$WORK/real" || fail "the README shows (<) other than what is printed (>)"
rm "$FILE"
DIR=$(mktemp -d "/pmem/xfs/tool-files.XXXXXX")
FILE=$DIR/data

case_of "page cache"
CACHED=$WORK/cached
ask 3 '.error.errno == "EOPNOTSUPP"' prepare "$CACHED" --size 1M
[[ ! -e $CACHED ]] || fail "it is still there"
if pinreg prepare "$CACHED" --size 1M --page-cache --json >"$WORK/out"; then
	jq -e '.good and (.file.dax | not) and .file.huge == 0' "$WORK/out" >/dev/null || fail "$(<"$WORK/out")"
fi

case_of "the shape is the documented one"
{
	documented "$DOCS/file-commands.md"
	documented "$DOCS/plan.md" | grep '^error'
} >"$WORK/documented"
same_shape
# neither the library's reason of a failed recovery, nor any but the flags above
sed -i '/^files\.\[\]\.reason$/d' "$WORK/unseen"
[[ ! -s $WORK/unseen ]] || fail "documented, but never there: $(<"$WORK/unseen")"

case_of "text: within 80 columns"
expect 0 pinreg prepare "$FILE" --size 4M
fallocate -p -o 1M -l 64K "$FILE"
expect 1 pinreg verify "$FILE"
cp "$WORK/out" "$WORK/text"
expect 0 pinreg prepare "$FILE"
cat "$WORK/out" >>"$WORK/text"
for command in verify seal recover unseal recover; do
	expect 0 pinreg "$command" "$FILE"
	cat "$WORK/out" >>"$WORK/text"
done
cat "$WORK/text"
awk 'length > 80 { print; long = 1 } END { exit long }' "$WORK/text" || fail "too long"
! grep -q $'\e' "$WORK/text" || fail "colours in a file"

case_of "progress: a bar on a terminal, lines elsewhere"
for how in terminal lines; do
	rm -f "$DIR/new"
	if [[ $how == terminal ]]; then
		script -qec "pinreg prepare $DIR/new --size 320M --threads 1" /dev/null </dev/null >"$WORK/out"
		shown='zeroing *\[##*'
	else
		pinreg prepare "$DIR/new" --size 320M --threads 1 >"$WORK/out" 2>&1
		shown='^zeroing: [0-9]*% of 320 MiB$'
	fi
	# what is done within a second shows nothing
	ms=$(sed -n 's/^time *\([0-9]*\)\..*/\1/p' "$WORK/out")
	((ms < 1500)) || grep -q "$shown" "$WORK/out" || fail "$ms ms without a word: $(<"$WORK/out")"
done
