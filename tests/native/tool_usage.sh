#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the tool answers without a device: help, wrong usage, memory that cannot
# be had, and that there is no device.
set -euo pipefail
shopt -s inherit_errexit

pinreg=$PINREG_BUILD_DIR/tools/pinreg
[ -x "$pinreg" ] || {
	echo "SKIP: the tool was not built"
	exit 77
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
	printf 'FAIL: %s\n' "$*"
	cat "$scratch/out" "$scratch/err"
	exit 1
}

# answers STATUS TEXT ARGUMENT...: the text is on stdout for 0 and on stderr otherwise
answers() {
	local wanted=$1 text=$2 got=0 where=err
	shift 2
	printf -- '- %s %s\n' "$wanted" "$*"
	"$pinreg" "$@" >"$scratch/out" 2>"$scratch/err" || got=$?
	((got == wanted)) || fail "exit status $got instead of $wanted"
	((wanted)) || where=out
	grep -Fq -- "$text" "$scratch/$where" || fail "no word of '$text'"
	if ((wanted)) && [ -s "$scratch/out" ]; then
		fail "something on stdout"
	fi
	if ((wanted == 2)); then
		grep -q '^usage: pinreg' "$scratch/err" || fail "no usage"
	elif ((wanted == 3)); then
		(($(wc -l <"$scratch/err") == 1)) || fail "not one line"
	fi
	if awk 'length > 80 { long = 1 } END { exit !long }' "$scratch/out"; then
		fail "more than 80 columns"
	fi
}

version=$(sed -n 's/^#define PINREG_VERSION_[A-Z]* //p' "$PINREG_SOURCE_DIR/include/pinreg/version.h" |
	paste -sd.)
answers 0 "pinreg $version" --version
answers 0 "pinreg plan" --help
answers 0 "pinreg caps --device" caps --help
answers 0 "pinreg plan --file" plan --help
answers 0 "--granularity" plan --anon 1M --help
answers 0 "pinreg verify FILE" verify --help
answers 0 "1 it is not" verify --help
answers 0 "--size SIZE" prepare --help
answers 0 "pinreg seal FILE" seal --help
answers 0 "pinreg unseal FILE" unseal --help
answers 0 "pinreg recover PATH..." recover --help

answers 2 "a command is missing"
answers 2 "no command 'frobnicate'" frobnicate
answers 2 "no command '--frobnicate'" --frobnicate
answers 2 "no option --frobnicate" caps --frobnicate
answers 2 "no option --js" caps --js
answers 2 "'rxe0' is no option" caps rxe0
answers 2 "'--' is no option" caps --
answers 2 "--no-test takes no value" caps --no-test=yes
answers 2 "--device needs a value" caps --device
answers 2 "--device: the value is empty" caps --device=
for port in 0 256 -1 1x 1K 99999999999999999999; do
	answers 2 "--port: '$port'" caps --port "$port"
done
answers 2 "one of --file" plan
answers 2 "one of --file" plan --anon 1M --memfd 1M
answers 2 "--file needs a value" plan --file --private
for given in --private --offset=1 --length=1; do
	answers 2 "belong to --file" plan --anon 1M "$given"
done
for size in "" 1m 1KB 1.5M K -1 +1 " 1" 0x1000 9223372036854775808 8589934592G 18446744073709551617; do
	answers 2 "--anon: '$size' is no number of bytes" plan "--anon=$size"
done
for source in anon hugetlb memfd; do
	answers 2 "--$source: it must be more than 0" plan "--$source" 0
done
answers 2 "--length: it must be more than 0" plan --file /etc/passwd --length 0K
answers 2 "'wo' is none of rw|ro" plan --anon 1M --access wo
answers 2 "'' is none of" plan --anon 1M --access=
answers 2 "'rw|ro' is none of" plan --anon 1M --access 'rw|ro'
answers 2 "'bytes' is none of" plan --anon 1M --granularity bytes
answers 2 "'dmabuf' is none of" plan --anon 1M --method dmabuf
for command in prepare verify seal unseal recover; do
	answers 2 "is missing" "$command"
	answers 2 "'-x' is no option" "$command" -x
	answers 2 "'--' is no option" "$command" -- x
done
for command in prepare verify seal unseal; do
	answers 2 "one FILE is enough: 'b'" "$command" a b
done
answers 2 "--size: it must be more than 0" prepare x --size 0
answers 2 "--seal: 'lock' is none of none|lease|immutable" prepare x --seal lock
for threads in 0 1024 -1 1K; do
	answers 2 "--threads: '$threads' is no number from 1 to 1023" prepare x --threads "$threads"
done

: >"$scratch/empty"
printf '0123456789' >"$scratch/ten"
mkfifo "$scratch/fifo"
answers 3 "No such file" plan --file "$scratch/none"
answers 3 "Is a directory" plan --file "$scratch"
answers 3 "Is a directory" plan --file "$scratch" --access ro
answers 3 "is empty" plan --file "$scratch/empty"
answers 3 "neither a regular file nor a DAX device" plan --file "$scratch/fifo"
answers 3 "neither a regular file nor a DAX device" plan --file /dev/zero
answers 3 "--offset 10 is past the end" plan --file "$scratch/ten" --offset 10
answers 3 "past the end" plan --file "$scratch/ten" --offset 9223372036854775807
answers 3 "no place in a file" plan --file "$scratch/ten" --offset 9 --length 9223372036854775807
answers 3 "bytes are not whole huge pages" plan --hugetlb 1000K
answers 3 "Cannot allocate memory" plan --anon 8000000G
answers 3 "open failed: No such file" verify "$scratch/none"
answers 3 "it is not a regular file" verify "$scratch"
answers 3 "it is not a regular file" verify "$scratch/fifo"
ln -s ten "$scratch/link"
answers 3 "symbolic link" verify "$scratch/link"
if ((EUID)); then
	chmod 400 "$scratch/ten"
	answers 3 "Permission denied" plan --file "$scratch/ten"
	chmod 600 "$scratch/ten"
fi

if [ -n "$(ls /sys/class/infiniband 2>/dev/null)" ]; then
	answers 3 "there is no RDMA device 'no/such'" caps --device no/such
else
	answers 3 "this machine has no RDMA device" caps
	answers 3 "this machine has no RDMA device" plan --anon 1M
	answers 3 "this machine has no RDMA device" plan --file "$scratch/ten" --offset 3
fi

printf -- '- a sparse file\n'
truncate -s 64K "$scratch/sparse"
status=0
"$pinreg" verify "$scratch/sparse" >"$scratch/out" || status=$?
((status == 1)) || fail "exit status $status"
grep -q 'NOT PREPARED: 1 flaw$' "$scratch/out" || fail "not said"
grep -q '64 KiB at 0: a hole' "$scratch/out" || fail "no first flaw"

printf -- '- failures as JSON\n'
for arguments in "plan --json --anon" "caps --json --device no/such" "--json"; do
	# shellcheck disable=SC2086 # they are words
	"$pinreg" $arguments >"$scratch/out" 2>"$scratch/err" && fail "$arguments: exit status 0"
	status=$?
	grep -Eq "^ *\"status\": $status," "$scratch/out" || fail "$arguments: not its status"
	[ -s "$scratch/err" ] || fail "$arguments: nothing on stderr"
done

printf -- '- an answer that cannot be written\n'
status=0
"$pinreg" --help >/dev/full 2>"$scratch/err" || status=$?
((status == 1)) || fail "exit status $status"
