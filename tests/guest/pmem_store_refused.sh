#!/bin/bash
# pmem_store_refused.sh -- files and devices that cannot be served, and wrong usage
. "$(dirname "$0")/lib.sh"
need_store

says() {
	grep -Eq "$1" "$WORK/err" || fail "no word of '$1' in: $(cat "$WORK/err")"
}

refused() {
	expect 3 timeout 60 pmem-store serve --addr "$PINREG_HOST_A" "$@"
	printf '  %s\n' "$(tail -n 1 "$WORK/err")"
}

case_of "a file that is not in DAX state"
refused "$WORK/ordinary" --size 1M
says 'DAX'
[[ ! -e $WORK/ordinary ]] || fail "the refused file was left behind"

case_of "a symbolic link, a directory, a file that is not there"
ln -s "$STORE" "$STORE_DIR/link"
refused "$STORE_DIR/link" --size 1M
says 'link'
refused "$STORE_DIR" --size 1M
refused "$STORE_DIR/nowhere"

case_of "a file that somebody else has open"
: >"$STORE"
exec 7<"$STORE"
refused "$STORE" --size 1M
says 'open|use'
exec 7<&-
[[ $(stat -c %s "$STORE") == 0 ]] || fail "the refused file has another size now"

case_of "a file that is something else"
head -c 1048576 /dev/urandom >"$STORE"
cp "$STORE" "$WORK/before"
expect 1 timeout 60 pmem-store serve "$STORE" --addr "$PINREG_HOST_A"
says 'is no store'
cmp "$STORE" "$WORK/before" || fail "it was written to"
[[ ! -e $STORE.mirror ]] || fail "a mirror was made of it"
rm "$STORE"

case_of "a mirror that is something else, or FILE itself"
cp "$WORK/before" "$STORE.mirror"
expect 1 timeout 60 pmem-store serve "$STORE" --size 1M --addr "$PINREG_HOST_A"
says 'is no mirror'
cmp "$STORE.mirror" "$WORK/before" || fail "it was written to"
expect 1 timeout 60 pmem-store serve "$STORE" --size 1M --addr "$PINREG_HOST_A" \
	--mirror "$STORE"
says 'no place for what follows'
rm -f "$STORE" "$STORE.mirror"

case_of "another size than the store was made for"
start_server --size 1M
stop_server
expect 1 timeout 60 pmem-store serve "$STORE" --size 2M --addr "$PINREG_HOST_A"
says 'made for 1048576 bytes'

case_of "wrong usage"
for arguments in "" "frobnicate" "put" "put a b" "get ../up" "get /root" "put a//b" "ls extra" \
	"serve" "serve f --size 1" "serve f --size 4097K1" "serve f --size -1" "serve f --port 0" \
	"serve f --port 70000" "serve f --mirror m --no-mirror" "serve f g --mirror m" "serve f --granularity word" "get a --patience x" "ls --unknown"; do
	# shellcheck disable=SC2086 # they are words
	expect 2 pmem-store $arguments
	says '^usage: '
done
expect 2 env -u PMEM_STORE_ADDR pmem-store ls

case_of "no server, and an address that is none"
expect 1 pmem-store ls --patience 0
expect 1 pmem-store ls --patience 0 --addr not.an.address.invalid
