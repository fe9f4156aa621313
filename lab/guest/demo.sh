#!/bin/bash
# demo.sh -- what lab demo shows: a DAX file that remote machines write into, and
# what happens when somebody else wants that file
set -euo pipefail
shopt -s inherit_errexit

export PMEM_STORE_ADDR=$PINREG_HOST_A
file=/pmem/ext4/demo
wanted=$((64 << 20)) # bytes to store
work=$(mktemp -d)
log=$work/serve.log
server=
begin=$SECONDS

finish() {
	local status=$?
	trap - EXIT
	if [[ -n $server ]]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	((status == 0)) || printf '\nNOT AS CLAIMED (exit status %d)\n' "$status"
	rm -rf "$work" "$file" "$file.mirror"
	exit "$status"
}
trap finish EXIT

title() {
	printf '\n%s\n' "$*"
}

# in_lines: long lines are folded, and all are set in a little
in_lines() {
	fold -s -w 74 | sed 's/^/   | /; s/ *$//'
}

shown() {
	printf '   $ %s\n' "$*"
}

not_as_claimed() {
	printf '   %s\n' "$*"
	tail -n 20 "$log" 2>/dev/null | in_lines
	exit 1
}

plain_is_refused() {
	title "1. Plain ibv_reg_mr() on a file of a DAX filesystem"
	fallocate -l 16M "$file"
	shown "pmem-store try-plain $file"
	if pmem-store try-plain "$file" >"$work/plain"; then
		not_as_claimed "it was registered"
	fi
	in_lines <"$work/plain"
	rm "$file"
}

server_starts() {
	title "2. The same with libpinreg: what is decided, and why"
	shown "pmem-store serve $file --size 128M"
	pmem-store serve "$file" --size 128M --addr "$PINREG_HOST_A" >"$log" 2>&1 &
	server=$!
	until grep -q '^ready' "$log"; do
		kill -0 "$server" 2>/dev/null || not_as_claimed "the server ended"
		sleep 0.1
	done
	in_lines <"$log"
}

# The list, one path a line, of at least so many bytes.
choose_files() {
	find /usr/lib /usr/bin -xdev -type f -size +64k -size -6000k -printf '%s %p\n' | sort -k2 |
		awk -v wanted="$wanted" 'have < wanted { have += $1; print $2 }' >"$work/list"
	xargs -d '\n' stat -c %s <"$work/list" | awk '{ n += $1 } END { print n }' >"$work/bytes"
}

stored_so_far() {
	pmem-store ls | wc -l
}

client_writes() {
	title "3. A client stores files of /usr by RDMA WRITE"
	choose_files
	shown "pmem-store put-files < list      ($(wc -l <"$work/list") files, $(<"$work/bytes") bytes)"
	pmem-store put-files <"$work/list" >"$work/put" 2>&1 &
	client=$!
}

outsider_breaks() {
	local half=$(($(wc -l <"$work/list") / 2)) before
	until before=$(stored_so_far) && ((before >= half)); do
		kill -0 "$client" 2>/dev/null || not_as_claimed "the client ended early: $(<"$work/put")"
		sleep 0.05
	done
	title "4. In the middle of it, with $before files stored, somebody truncates the file"
	shown ": > $file"
	: >"$file"
	until grep -q '^serving again' "$log"; do
		kill -0 "$server" 2>/dev/null || not_as_claimed "the server ended"
		sleep 0.1
	done
	sed -n '/^BREAK/,$p' "$log" | in_lines
	awk '/^FENCED/ { exit !($5 < 100) }' "$log" || not_as_claimed "it took 100 ms or longer"
	wait "$client" || not_as_claimed "the client failed: $(<"$work/put")"
	printf '   The client, meanwhile:\n'
	in_lines <"$work/put"
}

all_is_right() {
	local files bytes
	title "5. Everything is read back and compared by SHA-256"
	mkdir "$work/back"
	shown "pmem-store get-all back"
	pmem-store get-all "$work/back" >"$work/get" 2>&1 || not_as_claimed "$(<"$work/get")"
	xargs -d '\n' sha256sum <"$work/list" | sed 's|  /|  |' >"$work/sums"
	(cd "$work/back" && sha256sum --quiet -c "$work/sums") || not_as_claimed "files differ"
	files=$(find "$work/back" -type f | wc -l)
	bytes=$(find "$work/back" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
	((files == $(wc -l <"$work/list"))) || not_as_claimed "$files files came back"
	((bytes == $(<"$work/bytes") && bytes >= wanted)) || not_as_claimed "$bytes bytes came back"
	printf '   %d files, %d bytes: all equal\n' "$files" "$bytes"
}

printf 'libpinreg on kernel %s: Soft-RoCE, emulated persistent memory\n' "$(uname -r)"
plain_is_refused
server_starts
client_writes
outsider_breaks
all_is_right
kill "$server"
wait "$server" || { server=; not_as_claimed "the server did not end cleanly"; }
server=
printf '\nDone in %d s.\n' $((SECONDS - begin))
