# test.sh -- lab test: natively, in a guest of each kernel, and the tests that boot guests
# shellcheck shell=bash

TEST_KERNELS=(7.2 7.2-odpfix 6.12 6.1)
TEST_GUEST_SECONDS=1800

test_usage() {
	cat <<-'EOF'
	Usage: lab test [NAME...] [--kernel K]...

	Builds this checkout and runs its tests: those labelled native on this machine, those
	labelled guest in a guest of each kernel K (default: 7.2, 7.2-odpfix, 6.12 and 6.1), those
	labelled lab on this machine again, where they boot guests of their own. NAME is a regular
	expression; only tests that match one of them run, and only the parts that have such tests.

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

# test_guest LABEL: tests in a guest of that kernel
test_guest() {
	local dir=$TEST_DIR/$1 status=0 start=$SECONDS
	mkdir -p "$dir"
	guest_reset
	G_KERNEL=$1
	G_TIMEOUT=$TEST_GUEST_SECONDS
	G_PMEM=$(pmem_dir)
	G_LIBRARY=$PROJECT_DRIVE
	G_RESULTS=$dir
	G_COMMAND=(/run/lab/run-tests "${TEST_OPTIONS[@]}")
	guest_run || status=$?
	results_read "kernel $1" "$dir"
	if ((status)) && [[ -s $dir/junit.xml ]]; then
		results_fault "kernel $1" "the guest failed with status $status, though its tests ran"
	fi
	say "kernel $1: $((SECONDS - start)) s"
}

cmd_test() {
	local kernels=() names=() kernel count
	while (($#)); do
		case $1 in
		--kernel) need_value "$@"; kernel_check "$2"; kernels+=("$2"); shift 2 ;;
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
	trap guest_exit EXIT
	native_build
	test_here native "$(nproc)"

	# Both builds have the same tests, so the native one tells whether guests are wanted.
	count=$(test_count native_ctest guest "${TEST_OPTIONS[@]}")
	if ((count)); then
		build_guests "${kernels[@]}"
		project_build
		for kernel in "${kernels[@]}"; do
			say "running $count tests labelled guest on kernel $kernel ..."
			test_guest "$kernel"
		done
	fi
	test_here lab 1
	rm -rf "$TEST_DIR"
	results_close
}
