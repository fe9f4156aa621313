#!/bin/bash
# pmem_store_lease_break.sh -- somebody else wants the file while a client writes
# shellcheck disable=SC2016 # what other programs expand
. "$(dirname "$0")/lib.sh"
need_store

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

# back_again: as often as there were breaks; some come before it has served again
back_again() {
	wait_for "the server to serve again" 60 settled
	kill -0 "$SERVER" 2>/dev/null || fail "the server ended"
	breaks=$(log_lines '^RESTORED')
}

settled() {
	if kill -0 "$SERVER" 2>/dev/null; then
		(($(log_lines '^RESTORED') > breaks)) &&
			[[ $(grep -E '^(BREAK|FENCED|RESTORED|serving)' "$LOG" | tail -n 1) == serving* ]]
	fi
}

# broken_by WHAT COMMAND...: in the middle of the writing; then all is as it was
broken_by() {
	local what=$1 ms acked
	shift
	sleep 0.3
	timeout 30 "$@" || fail "$what: the outsider itself failed"
	back_again
	ms=$(sed -n 's/^FENCED: let go after \([0-9.]*\) ms$/\1/p' "$LOG" | sort -n | tail -n 1)
	acked=$(sed -n 's/^BREAK: .* acknowledged after \([0-9.]*\) ms$/\1/p' "$LOG" | sort -n | tail -n 1)
	printf '  %s: acknowledged after at most %s ms, let go after at most %s ms\n' "$what" "$acked" "$ms"
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

case_of "truncated again as soon as it is back"
broken_by "truncated four times" \
	perl -e 'for (1 .. 4) { truncate($ARGV[0], 0) or die "$!\n"; select(undef, undef, undef, 0.15) }' "$STORE"

case_of "the client went on by itself"
touch "$WORK/stop"
wait "$WRITER" || fail "the client gave up: $(tail -n 3 "$WORK/writer.err")"
grep -q 'went on by itself' "$WORK/writer.err" || fail "no put was interrupted"
all_equal

case_of "an opener that does not wait is turned away and breaks nothing for good"
perl -e 'use Fcntl; sysopen(F, $ARGV[0], O_WRONLY | O_NONBLOCK) and exit 1' "$STORE" ||
	fail "it was opened under the lease"
back_again
all_equal
stop_server
