#!/bin/bash
# pmem_store_kill9.sh -- kill -9 of the server in the middle of puts
. "$(dirname "$0")/lib.sh"
need_store

rounds=5
names=4

# Versions of the objects, each different, and which of them may be in the store:
# committed.N is what the last put that returned 0 wrote, tried.N what may be newer.
make_version() {
	head -c $((300000 + RANDOM * 20)) /dev/urandom >"$1"
}

writer() {
	local i=0 status
	while :; do
		i=$((i % names + 1))
		make_version "$WORK/tried.$i"
		status=0
		pmem-store put --patience 0 "object$i" <"$WORK/tried.$i" 2>/dev/null || status=$?
		((status == 0)) || break
		mv "$WORK/tried.$i" "$WORK/committed.$i"
	done
}

# check: each object is the committed version, or the one whose put did not return
check() {
	local i sum
	for ((i = 1; i <= names; i++)); do
		pmem-store get "object$i" >"$WORK/got" || fail "object$i is lost"
		sum=$(sha256sum <"$WORK/got")
		if [[ $sum == "$(sha256sum <"$WORK/committed.$i")" ]]; then
			old=$((old + 1))
		elif [[ -e $WORK/tried.$i && $sum == "$(sha256sum <"$WORK/tried.$i")" ]]; then
			new=$((new + 1))
			mv "$WORK/tried.$i" "$WORK/committed.$i"
		else
			fail "object$i is neither the old one nor the new one"
		fi
		rm -f "$WORK/tried.$i"
	done
}

old=0
new=0
start_server --size 16M
for ((i = 1; i <= names; i++)); do
	make_version "$WORK/committed.$i"
	expect 0 pmem-store put "object$i" <"$WORK/committed.$i"
done
for ((round = 1; round <= rounds; round++)); do
	case_of "killed in the middle of puts, $round"
	writer &
	client=$!
	sleep "0.$((RANDOM % 6 + 2))$((RANDOM % 10))"
	kill -9 "$SERVER"
	wait "$SERVER" 2>/dev/null || true
	wait "$client" || true
	start_server
	check
done
printf '  %d objects read: %d committed versions, %d whose put did not return\n' \
	$((old + new)) "$old" "$new"

for ((round = 1; round <= 2; round++)); do
	case_of "killed while it comes back from a break, $round"
	: >"$STORE"
	sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
	kill -9 "$SERVER"
	wait "$SERVER" 2>/dev/null || true
	start_server --size 16M
	check
done
stop_server

case_of "and without a mirror"
rm "$STORE.mirror"
start_server --no-mirror
for ((round = 1; round <= 2; round++)); do
	writer &
	client=$!
	sleep 0.4
	kill -9 "$SERVER"
	wait "$SERVER" 2>/dev/null || true
	wait "$client" || true
	start_server --no-mirror
	check
done

case_of "killed while it comes back from a break, and without a mirror"
for ((round = 1; round <= 2; round++)); do
	: >"$STORE"
	sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
	kill -9 "$SERVER"
	wait "$SERVER" 2>/dev/null || true
	start_server --no-mirror
	[[ $(pmem-store ls | grep -c 'DESTROYED$') == "$names" ]] || fail "$(pmem-store ls)"
	for ((i = 1; i <= names; i++)); do
		expect 1 pmem-store get "object$i"
		expect 0 pmem-store put "object$i" <"$WORK/committed.$i"
	done
	check
done
stop_server
