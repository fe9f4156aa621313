#!/bin/bash
# power_cut.sh -- cut a guest's power in the middle of puts; every put that had returned is there
#
# On the host it boots two guests on the same persistent memory, for each granularity: on
# this kernel peers reach the memory itself with pages, and a shadow of it with bytes. In the
# guests it calls itself: "write" until the power goes, then "check".
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "$0")" && pwd)
project=$(dirname "$(dirname "$here")")
store=/pmem/ext4/power_cut

# content NAME VERSION: the bytes of a version; the guest after the cut can make them again
content() {
	local size=$((200000 + $2 * 7919 % 900000))
	awk -v name="$1" -v version="$2" -v size="$size" 'BEGIN {
		srand(version)
		for (n = 0; n < size; n += length(line)) {
			line = name " " version " " n " " rand() "\n"
			printf "%s", line
		}
	}'
}

serve() {
	export PMEM_STORE_ADDR=$PINREG_HOST_A
	pmem-store serve "$store" --size 32M --addr "$PINREG_HOST_A" --granularity "$granularity" \
		>/tmp/serve.log 2>&1 &
	server=$!
	until grep -q '^ready' /tmp/serve.log; do
		kill -0 "$server" || { cat /tmp/serve.log; exit 1; }
		sleep 0.1
	done
}

# One line for every put that returned. The host cuts the power when it reads one of them,
# while the puts go on.
in_guest_write() {
	local version name
	serve
	grep '^plan' /tmp/serve.log
	for ((version = 1; ; version++)); do
		name=object$((version % 5))
		content "$name" "$version" >/tmp/data
		printf 'putting %s %s\n' "$name" "$version"
		pmem-store put "$name" </tmp/data
		printf 'committed %s %s\n' "$name" "$version"
	done
}

# check NAME COMMITTED: is it that version, or the next one of this name? A line can be on
# its way from the guest when the power goes, so even the one after that is right.
check() {
	local version
	pmem-store get "$1" >/tmp/got || { echo "LOST: $1 version $2"; return 1; }
	for version in "$2" $(($2 + 5)) $(($2 + 10)); do
		if content "$1" "$version" | cmp -s - /tmp/got; then
			printf 'right: %s, committed as version %s, found as %s\n' "$1" "$2" "$version"
			return 0
		fi
	done
	printf 'WRONG: %s is no version that it could be (committed: %s)\n' "$1" "$2"
	return 1
}

# The arguments are NAME VERSION of what was committed last.
in_guest_check() {
	local bad=0
	serve
	sed 's/^/  server: /' /tmp/serve.log
	while (($#)); do
		check "$1" "$2" || bad=1
		shift 2
	done
	kill "$server"
	wait "$server"
	return "$bad"
}

cut_and_look() {
	local last committed

	echo "- $granularity: the power goes while version 17 or a later one is being put"
	"$project/lab/lab" run --kernel 7.2 --timeout 300 --pmem-dir "$work/pmem" \
		--power-cut-on 'putting object2 17' -- \
		bash tests/lab/power_cut.sh write "$granularity" |
		tee "$work/log" | grep -v '^putting'
	last=$(grep -c '^committed' "$work/log") || true
	((last >= 16)) || { echo "FAIL: only $last puts had returned"; exit 1; }

	echo "- $granularity: after it, every put that had returned is there"
	# the last committed version of each name
	committed=$(awk '$1 == "committed" { v[$2] = $3 } END { for (n in v) print n, v[n] }' \
		"$work/log" | tr -d '\r' | tr '\n' ' ')
	# shellcheck disable=SC2086 # they are words
	"$project/lab/lab" run --kernel 7.2 --timeout 300 --pmem-dir "$work/pmem" -- \
		bash tests/lab/power_cut.sh check "$granularity" $committed
}

on_host() {
	local work granularity
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # this very folder
	trap "rm -rf '$work'" EXIT

	for granularity in page byte; do
		cut_and_look
		rm -rf "$work/pmem"
	done
}

case ${1-} in
write) granularity=$2; in_guest_write ;;
check) granularity=$2; shift 2; in_guest_check "$@" ;;
'')
	if [[ -n ${PINREG_LAB-} ]]; then
		echo "SKIP: this boots guests, and cannot run in one"
		exit 77
	fi
	on_host
	;;
*) echo "usage: power_cut.sh" >&2; exit 2 ;;
esac
