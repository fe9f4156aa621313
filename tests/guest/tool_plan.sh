#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tool_plan.sh -- pinreg caps and plan: every memory, with what registering it gives
#
# What is expected follows from the kind of memory and the trust in the device
# alone; the members of the JSON are those of docs/plan.md, neither more nor less.
. "$(dirname "$0")/lib.sh"

command -v pinreg >/dev/null || skip "pinreg is not installed"
[[ -e /sys/class/infiniband/rxe0 ]] || skip "no RDMA device: this runs in the lab's guest"
for mount in /pmem/ext4 /pmem/xfs; do
	mountpoint -q "$mount" || skip "no DAX filesystem on $mount"
done

SHAPE=$(dirname "$0")/../../docs/plan.md
CACHED=$(mktemp /var/tmp/tool.XXXXXX)
EXT4=$(mktemp /pmem/ext4/tool.XXXXXX)
XFS=$(mktemp /pmem/xfs/tool.XXXXXX)
SHM=$(mktemp /dev/shm/tool.XXXXXX)
truncate -s 1M "$CACHED" "$EXT4" "$XFS" "$SHM"
HOLDER=
clean() {
	[[ -z $HOLDER ]] || kill "$HOLDER" 2>/dev/null || true
	rm -f "$CACHED" "$EXT4" "$XFS" "$SHM"
	return "$1" # for finish
}
trap 'set +e; clean $?; finish' EXIT

case_of "caps"
ask 0 '.version == 1 and .device.name == "rxe0" and .device.port == 1 and .error == null' caps
TRUST=$(jq -r .odp.trust "$WORK/out")
ODP=$(jq -r .odp.supported "$WORK/out")
[[ $(ibv_devinfo -v -d rxe0 | grep -Ec '^[[:space:]]*ODP_SUPPORT') == 0 ]] || ODP_SEEN=true
[[ $ODP == "${ODP_SEEN-false}" ]] || fail "ibv_devinfo says something else of ODP"
if [[ $ODP == true ]]; then
	ask 0 '(.odp.test | .cases > 0 and .bytes > 0 and .cases_wrong <= .cases)
		and (.odp.trust == "full") == (.odp.test.cases_wrong == 0)' caps --device rxe0 --port 1
	ask 0 '.odp.test == null and .odp.trust == "untested"' caps --no-test
else
	ask 0 '.odp.test == null and .odp.trust == "none" and .odp.rc == []' caps
fi
printf '  ODP %s, trust %s\n' "$ODP" "$TRUST"
memlock=(setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock)
expect 0 "${memlock[@]}" bash -c 'ulimit -l 65536; pinreg caps --no-test --json'
jq -e '.limits.memlock_limit == 67108864' "$WORK/out" >/dev/null || fail "another memlock limit"

# plan_for KIND ACCESS GRANULARITY: METHOD and REASON that it must have
plan_for() {
	case $1:$2 in
	anon:* | hugetlb:* | shmem:* | devdax:*) METHOD=pin REASON=pin-memory ;;
	pagecache:ro) METHOD=pin REASON=pin-read-only ;;
	*)
		METHOD=staged
		if [[ $ODP == false ]]; then
			REASON=staged-no-odp
		elif [[ $TRUST == none ]]; then
			REASON=staged-untrusted
		elif [[ $TRUST == page && $3 == byte ]]; then
			REASON=staged-granularity
		else
			METHOD=odp REASON=odp-$1
		fi
		;;
	esac
}

# what an outcome has to be, whatever the method
AGREES='.outcome.registered and .outcome.agrees and .outcome.differs == []
	and .outcome.region.method == .plan.method and .outcome.region.access == .plan.access
	and .outcome.reason == .plan.reason and .outcome.errno == null
	and .outcome.region.pinned == .plan.pin_bytes
	and (.plan.pin_bytes == 0) == (.plan.method == "odp")
	and (.plan.access | index("on-demand") != null) == (.plan.method == "odp")
	and (.plan.iova == null) == (.plan.method == "staged")
	and (.plan.iova == null or .plan.iova == .outcome.region.addr)
	and (.plan.method != "staged" or .outcome.region.addr != .request.addr)
	and (.plan.warnings | index("must-commit") != null) == (.plan.method == "staged")
	and (.plan.warnings | index("path-mtu") != null) == (.plan.method == "odp")
	and .outcome.region.length == .request.length and .outcome.region.generation == 1
	and .outcome.time_ms > 0 and .limits.pinned == 0
	and ([.backing[].length] | add) == .request.length'

# Pairs of an answer and what was expected of it: a line for each. One process for
# many answers, because starting one takes long under emulation.
# shellcheck disable=SC2016 # the variables are jq's
COMPARE='[., $wanted] | transpose[] | .[1] as $w | .[0] |
	('"$AGREES"' and .plan.method == $w.method and .plan.reason == $w.reason
	and .plan.granularity == $w.granularity and .request.access == $w.access
	and (.plan.access | index("remote-write") != null) == ($w.access == "rw")
	and (.backing | length) == 1 and (.backing[0] | .kind == $w.kind
	and .page_size == $w.page_size and .shared == $w.shared and .readable)) as $good |
	"  \($w.access) \($w.granularity): \(.plan.method) (\(.plan.reason)), \(.outcome.time_ms) ms: "
	+ if $good then "good" else "WRONG" end'

# every KIND PAGE-SIZE SHARED ARGUMENT...: with each access and each granularity
every() {
	local kind=$1 page=$2 shared=$3 access granularity
	shift 3
	case_of "$kind: $*"
	: >"$WORK/batch"
	: >"$WORK/wanted"
	for access in rw ro; do
		for granularity in byte page; do
			expect 0 pinreg plan "$@" --access "$access" --granularity "$granularity" \
				--register --json
			cat "$WORK/out" >>"$WORK/batch"
			plan_for "$kind" "$access" "$granularity"
			printf '{"method":"%s","reason":"%s","access":"%s","granularity":"%s",' \
				"$METHOD" "$REASON" "$access" "$granularity" >>"$WORK/wanted"
			printf '"kind":"%s","page_size":%s,"shared":%s}\n' \
				"$kind" "$page" "$shared" >>"$WORK/wanted"
		done
	done
	cat "$WORK/batch" >>"$WORK/answers"
	jq -rs --slurpfile wanted "$WORK/wanted" "$COMPARE" "$WORK/batch" >"$WORK/lines"
	cat "$WORK/lines"
	(($(grep -c ': good$' "$WORK/lines") == 4)) || {
		cat "$WORK/batch" "$WORK/wanted"
		fail "not as expected"
	}
}

every anon 4096 false --anon 1M
every hugetlb 2097152 false --hugetlb 4M
every shmem 4096 true --memfd 64K
every shmem 4096 true --file "$SHM"
every pagecache 4096 true --file "$CACHED"
every fsdax 4096 true --file "$EXT4" --offset 64K
every fsdax 4096 true --file "$XFS" --length 256K

case_of "parts at odd places, and a DAX device"
ask 0 "$AGREES and .plan.method == \"pin\" and .plan.pin_bytes == 8192 and .request.length == 4096
	and .backing[0].file_offset == 4097" plan --file "$SHM" --offset 4097 --length 4K --register
for dax in /dev/dax*; do
	ask 0 "$AGREES and .plan.method == \"pin\" and .backing[0].kind == \"devdax\"
		and .backing[0].file_offset == 12288 and .backing[0].page_size == 2097152" \
		plan --file "$dax" --offset 12K --length 3M --register
done

case_of "what a plan without --register leaves alone"
before=$(stat -c '%s %b %Y' "$EXT4")
ask 0 '.outcome == null and .plan.method != null' plan --file "$EXT4"
[[ $(stat -c '%s %b %Y' "$EXT4") == "$before" ]] || fail "the file was changed"

# refused ERRNO REASON ARGUMENT...
refused() {
	local truth=".plan.method == \"refuse\" and .plan.errno == \"$1\" and .plan.reason == \"$2\""
	shift 2
	ask 3 "$truth and .outcome.agrees and (.outcome.registered | not) and .outcome.region == null
		and .outcome.reason == .plan.reason and .outcome.errno == .plan.errno" \
		plan "$@" --register
	printf '  %s\n' "$(sed -n 's/^    "sentence": "\(refused.*\)",$/\1/p' "$WORK/out")"
}

case_of "refusals"
refused EINVAL private-file --file "$CACHED" --private
ask 0 '.plan.method == "refuse" and .outcome == null' plan --file "$CACHED" --private
refused EFAULT past-end --file "$EXT4" --length 1028K
refused EOPNOTSUPP pin-impossible --file "$XFS" --method pin
refused EINVAL unaligned --anon 4097 --granularity page
if [[ $ODP == false ]]; then
	refused EOPNOTSUPP odp-missing --anon 64K --method odp
	refused ENOMEM budget --memfd 64K --budget 60K
fi
ask 0 "$AGREES and .limits.pin_budget == 65536" plan --memfd 64K --budget 64K --register

case_of "a limit on locked memory"
status=0
"${memlock[@]}" bash -c "ulimit -l 64; pinreg plan --anon 1M --register --json" >"$WORK/out" || status=$?
((status == 3)) || fail "exit status $status"
jq -e '.outcome.agrees and .limits.memlock_limit == 65536' "$WORK/out" >/dev/null || {
	cat "$WORK/out"
	fail "not refused as planned"
}

case_of "plan and outcome disagree where the kernel says no after all"
if grep -qw rdma /sys/fs/cgroup/cgroup.controllers; then
	echo +rdma >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p /sys/fs/cgroup/tool
	# the protection domain is one object, and the region would be the second
	echo "rxe0 hca_object=1" >/sys/fs/cgroup/tool/rdma.max
	# shellcheck disable=SC2016 # it is the other shell's
	ask_in='echo $$ >/sys/fs/cgroup/tool/cgroup.procs; exec pinreg plan --anon 64K --register'
	expect 1 bash -c "$ask_in"
	grep -q 'NOT AS PLANNED: refused, but the plan was to register' "$WORK/out" || fail "$(<"$WORK/out")"
	expect 1 bash -c "$ask_in --json"
	cat "$WORK/out" >>"$WORK/answers"
	jq -e '.plan.method == "pin" and (.outcome | (.agrees | not) and (.registered | not)
		and .why.os_errno != null)' "$WORK/out" >/dev/null || fail "$(<"$WORK/out")"
	rmdir /sys/fs/cgroup/tool
else
	fail "this kernel has no rdma cgroup"
fi

case_of "what cannot be had"
ask 3 '.error.status == 3 and .error.errno == "ENODEV"' caps --device mlx5_7
grep -q "there is no RDMA device 'mlx5_7' here; there is rxe0" "$WORK/err" || fail "$(<"$WORK/err")"
ask 3 '.error.message == "rxe0 has no port 2: its last is 1"' plan --anon 1M --port 2
ask 3 '.error.errno == "ENOMEM"' plan --hugetlb 64G
ask 2 '.error.status == 2 and .command == "plan"' plan --anon 1M --memfd 1M
ask 3 '.error.errno == "ENOENT"' plan --file "$WORK/none"

case_of "a file that somebody holds a lease on is left to him"
perl -e 'open(my $f, "+<", $ARGV[0]) or die; fcntl($f, 1024, 1) or die "no lease: $!"; print "held\n";
	close(STDOUT); sleep(600)' "$EXT4" >"$WORK/held" &
HOLDER=$!
wait_for "the lease" 10 grep -q LEASE /proc/locks
ask 3 ".error.errno == \"EBUSY\" and (.error.message | contains(\"process $HOLDER holds a lease\"))" \
	plan --file "$EXT4" --access ro
grep -q 'LEASE  *ACTIVE' /proc/locks || fail "the lease was broken"
kill "$HOLDER"
wait "$HOLDER" 2>/dev/null || true
HOLDER=

case_of "the shape is the documented one"
documented "$SHAPE" >"$WORK/documented"
same_shape
# what no answer here can have: it needs a device that is wrong or right, or a failed call
if [[ $TRUST == none ]]; then
	sed -i -E '/^odp\.(test\.|rc|ud)/d; /\.warnings\.\[\]$/d' "$WORK/unseen"
fi
sed -i '/^memory_windows/d' "$WORK/unseen"
[[ ! -s $WORK/unseen ]] || fail "documented, but never there: $(<"$WORK/unseen")"

case_of "text: within 80 columns, and colours on a terminal only"
for arguments in "caps" "plan --anon 1M --register" "plan --file $EXT4 --register" \
	"plan --file $XFS --granularity page" "plan --file $CACHED --private"; do
	# shellcheck disable=SC2086 # they are words
	expect 0 pinreg $arguments
	awk 'length > 80 { print; long = 1 } END { exit long }' "$WORK/out" || fail "too long"
	! grep -q $'\e' "$WORK/out" || fail "colours in a file"
done
TERM=xterm NO_COLOR='' script -qec "pinreg plan --anon 4K" /dev/null </dev/null >"$WORK/out"
grep -q $'\e\[32mpin' "$WORK/out" || fail "no colours on a terminal"
TERM=xterm NO_COLOR=1 script -qec "pinreg plan --anon 4K" /dev/null </dev/null >"$WORK/out"
! grep -q $'\e' "$WORK/out" || fail "colours in spite of NO_COLOR"
