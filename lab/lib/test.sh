# test.sh -- lab test: natively, in a guest of each kernel, and the tests that boot guests
# shellcheck shell=bash

TEST_KERNELS=(7.2 7.2-odpfix 6.12 6.1)
TEST_GUEST_SECONDS=1800
TEST_AT_ONCE=1
TEST_RUNNING=() # kernels of the guests side by side, the oldest first
TEST_SHELLS=()  # and the shells that boot them

test_usage() {
	cat <<-'EOF'
	Usage: lab test [NAME...] [--kernel K]... [--at-once N]

	Builds this checkout and runs its tests: those labelled native on this machine, those
	labelled guest in a guest of each kernel K (default: 7.2, 7.2-odpfix, 6.12 and 6.1), those
	labelled lab on this machine again, where they boot guests of their own. NAME is a regular
	expression; only tests that match one of them run, and only the parts that have such tests.

	  --at-once N  so many kernels' guests side by side (default 1), each with two CPUs; what
	               they print comes kernel by kernel, when each has ended

	A test that is skipped without being expected in tests/skips.txt counts as failed. The last
	line is "N passed, N failed, N skipped".

	Example: lab test --kernel 6.12 'policy\..*' file
	EOF
}

# test_count COMMAND...: how many tests a ctest command selects
test_count() {
	"$@" -N | sed -n 's/^Total Tests: //p'
}

# How ctest is asked, wherever it runs; what a test prints last must not be cut off.
test_options() {
	TEST_OPTIONS=(--no-tests=ignore --test-output-size-passed 65536 --test-output-size-failed 1048576)
	(($# == 0)) || TEST_OPTIONS+=(-R "$(IFS='|' && printf '%s' "$*")")
}

# test_here LABEL JOBS: tests that run on this machine
test_here() {
	local dir=$TEST_DIR/$1 count
	count=$(test_count native_ctest "$1" "${TEST_OPTIONS[@]}")
	((count)) || return 0
	mkdir -p "$dir"
	uname -r >"$dir/release"
	say "running $count tests labelled $1 ..."
	native_ctest "$1" "${TEST_OPTIONS[@]}" -j "$2" --output-junit "$dir/junit.xml" || true
	results_read "$1" "$dir"
}

# test_boot LABEL: tests in a guest of that kernel; leaves the guest's status
test_boot() {
	local dir=$TEST_DIR/$1 status=0 start=$SECONDS
	guest_reset
	G_KERNEL=$1
	G_TIMEOUT=$((TEST_GUEST_SECONDS * TEST_AT_ONCE))
	G_PMEM=$(pmem_dir)
	G_LIBRARY=$PROJECT_DRIVE
	G_RESULTS=$dir
	G_COMMAND=(/run/lab/run-tests "${TEST_OPTIONS[@]}")
	guest_run || status=$?
	printf '%s\n' "$status" >"$dir/status"
	say "kernel $1: $((SECONDS - start)) s"
}

# test_judge LABEL: what came of it
test_judge() {
	local dir=$TEST_DIR/$1 status
	results_read "kernel $1" "$dir"
	status=$(cat "$dir/status" 2>/dev/null) || status=unknown
	if [[ $status != 0 && -s $dir/junit.xml ]]; then
		results_fault "kernel $1" "the guest failed with status $status, though its tests ran"
	fi
}

# test_collect: waits for the first of the guests side by side, and shows what it printed
test_collect() {
	local kernel=${TEST_RUNNING[0]}
	wait "${TEST_SHELLS[0]}" || true
	TEST_RUNNING=("${TEST_RUNNING[@]:1}")
	TEST_SHELLS=("${TEST_SHELLS[@]:1}")
	cat "$TEST_DIR/$kernel/log"
	test_judge "$kernel"
}

# test_guests KERNEL...: in guests of all of them, TEST_AT_ONCE side by side
test_guests() {
	local kernel
	for kernel in "$@"; do
		mkdir -p "$TEST_DIR/$kernel"
		if ((TEST_AT_ONCE == 1)); then
			test_boot "$kernel"
			test_judge "$kernel"
			continue
		fi
		((${#TEST_RUNNING[@]} < TEST_AT_ONCE)) || test_collect
		test_boot "$kernel" >"$TEST_DIR/$kernel/log" 2>&1 &
		TEST_SHELLS+=($!)
		TEST_RUNNING+=("$kernel")
	done
	while ((${#TEST_RUNNING[@]})); do
		test_collect
	done
}

# Leaving early must not leave guests behind.
test_exit() {
	((!${#TEST_SHELLS[@]})) || kill "${TEST_SHELLS[@]}" 2>/dev/null || true
	guest_exit
}

cmd_test() {
	local kernels=() names=() count
	while (($#)); do
		case $1 in
		--kernel) need_value "$@"; kernel_check "$2"; kernels+=("$2"); shift 2 ;;
		--at-once)
			need_value "$@"
			[[ $2 =~ ^[1-9][0-9]?$ ]] || die_usage "--at-once is '$2'; it takes a number of guests."
			TEST_AT_ONCE=$2
			shift 2
			;;
		-h | --help) test_usage; return ;;
		--) shift; names+=("$@"); break ;;
		-*) die_usage "lab test knows no '$1'; lab test --help tells what it knows." ;;
		*) names+=("$1"); shift ;;
		esac
	done
	((${#kernels[@]})) || kernels=("${TEST_KERNELS[@]}")
	test_options "${names[@]}"

	cache_dir
	TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/pinreg-lab-test.XXXXXX")
	trap test_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	native_build
	test_here native "$(nproc)"

	# Both builds have the same tests, so the native one tells whether guests are wanted.
	count=$(test_count native_ctest guest "${TEST_OPTIONS[@]}")
	if ((count)); then
		build_guests "${kernels[@]}"
		project_build
		say "running $count tests labelled guest on ${kernels[*]} ..."
		test_guests "${kernels[@]}"
	fi
	test_here lab 1
	rm -rf "$TEST_DIR"
	results_close
}
