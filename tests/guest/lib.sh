# lib.sh -- what the scripts of this folder share
# shellcheck shell=bash

set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=tests/support/spare.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/spare.sh"

# Each script has a folder on each filesystem and one for ordinary files.
WORK=$(mktemp -d)
STORE_DIR=
SERVER=
LOG=$WORK/serve.log

finish() {
	local status=$?
	trap - EXIT
	if [[ -n $SERVER ]]; then
		kill "$SERVER" 2>/dev/null || true
		wait "$SERVER" 2>/dev/null || true
	fi
	if ((status != 0 && status != 77)) && [[ -e $LOG ]]; then
		printf '%s\n' "--- the server's output:"
		tail -n 60 "$LOG"
	fi
	if [[ -n ${PINREG_SPARE-} ]]; then spare_remove; fi
	rm -rf "$WORK" ${STORE_DIR:+"$STORE_DIR"}
	exit "$status"
}
trap finish EXIT

skip() {
	printf 'SKIP: %s\n' "$1"
	exit 77
}

fail() {
	printf 'FAIL: %s\n' "$*"
	exit 1
}

# case_of NAME: what follows belongs to this case
case_of() {
	printf '%s\n' "- $1"
}

# expect STATUS COMMAND...: output goes to $WORK/out and $WORK/err
expect() {
	local wanted=$1 got=0
	shift
	"$@" >"$WORK/out" 2>"$WORK/err" || got=$?
	if ((got != wanted)); then
		cat "$WORK/out" "$WORK/err"
		fail "exit status $got instead of $wanted: $*"
	fi
}

# wait_for WHAT SECONDS COMMAND...: until the command succeeds
wait_for() {
	local what=$1 end=$((SECONDS + $2))
	shift 2
	until "$@"; do
		((SECONDS < end)) || fail "waited in vain for: $what"
		sleep 0.05
	done
}

# ---- the tool -----------------------------------------------------------------

# ask STATUS WHAT-IS-TRUE ARGUMENT...: a jq expression of the tool's answer
ask() {
	local status=$1 truth=$2
	shift 2
	expect "$status" pinreg "$@" --json
	cat "$WORK/out" >>"$WORK/answers"
	jq -e "$truth" "$WORK/out" >"$WORK/truth" 2>&1 || {
		cat "$WORK/out" "$WORK/err" "$WORK/truth"
		fail "not true of pinreg $*: $truth"
	}
}

# documented DOCUMENT: the members in its tables, a line each, with their types
documented() {
	# shellcheck disable=SC2016 # backquotes of a table
	sed -n 's/^| `\([a-z_.]*\(\[\][a-z_.]*\)*\)` | \([a-z]*\( or null\)\?\) |.*/\1 \3/p' "$1" |
		awk '{ print $1, $2 } $3 == "or" { print $1, "null" }'
}

# same_shape: what all answers had, with types, against $WORK/documented. What is
# there must be documented; $WORK/unseen gets what is documented and was never there.
same_shape() {
	sort -u -o "$WORK/documented" "$WORK/documented"
	jq -r 'paths as $p | [($p | map(if type == "number" then "[]" else . end) | join(".")),
		(getpath($p) | type)] | join(" ")' "$WORK/answers" | sort -u >"$WORK/seen"
	comm -13 "$WORK/documented" "$WORK/seen" >"$WORK/undocumented"
	[[ ! -s $WORK/undocumented ]] || fail "not documented: $(<"$WORK/undocumented")"
	comm -23 <(cut -d' ' -f1 "$WORK/documented" | sort -u) <(cut -d' ' -f1 "$WORK/seen" | sort -u) \
		>"$WORK/unseen"
}

# ---- pmem-store ---------------------------------------------------------------

# need_store: a guest in which pmem-store can run; STORE is a file to be, and the one of FILES
need_store() {
	command -v pmem-store >/dev/null || skip "pmem-store is not installed"
	[[ -n ${PINREG_HOST_A-} ]] || skip "no RDMA device: this runs in the lab's guest"
	mountpoint -q /pmem/ext4 || skip "no DAX filesystem on /pmem/ext4"
	export PMEM_STORE_ADDR=$PINREG_HOST_A
	STORE_DIR=$(mktemp -d /pmem/ext4/store.XXXXXX)
	STORE=$STORE_DIR/file
	FILES=("$STORE")
}

# Each script about the server runs with both; *_byte.sh are those with "byte".
GRANULARITY=${PMEM_STORE_GRANULARITY:-page}

# right_method: what the server must have chosen after what its test of paging found
right_method() {
	local trust
	trust=$(sed -n 's/^trust: \([a-z]*\).*/\1/p' "$LOG")
	case $trust/$GRANULARITY in
	full/* | page/page) echo odp ;;
	page/byte | none/*) echo staged ;;
	*) fail "there is no trust '$trust'" ;;
	esac
}

log_lines() {
	grep -c "$1" "$LOG" || true
}

log_reached() {
	(($(log_lines "$1") >= $2)) || ! kill -0 "$SERVER" 2>/dev/null
}

# start_without_waiting ARGUMENT...: it serves FILES
start_without_waiting() {
	: >"$LOG"
	pmem-store serve "${FILES[@]}" --addr "$PINREG_HOST_A" --granularity "$GRANULARITY" "$@" >"$LOG" 2>&1 &
	SERVER=$!
}

# start_server ARGUMENT...: until it is ready
start_server() {
	start_without_waiting "$@"
	wait_for "the server to be ready" 60 log_reached '^ready' 1
	kill -0 "$SERVER" 2>/dev/null || fail "the server ended at once"
}

kill_server() {
	kill -9 "$SERVER"
	wait "$SERVER" 2>/dev/null || true
	SERVER=
}

stop_server() {
	local status=0
	kill "$SERVER"
	wait "$SERVER" || status=$?
	SERVER=
	((status == 0)) || fail "the server ended with status $status"
}

# served_again N: the server has come back from N breaks
served_again() {
	wait_for "the server to serve again" 60 log_reached '^serving again' "$1"
	kill -0 "$SERVER" 2>/dev/null || fail "the server ended"
}

# make_file PATH BYTES: bytes that no other file has
make_file() {
	head -c "$2" /dev/urandom >"$1"
}

# same_as_stored NAME PATH
same_as_stored() {
	pmem-store get "$1" >"$WORK/got" || fail "get $1"
	[[ $(sha256sum <"$WORK/got") == "$(sha256sum <"$2")" ]] || fail "$1 came back different"
}
