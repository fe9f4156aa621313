# results.sh -- what became of the tests: read, judged, shown and counted
# shellcheck shell=bash

RESULTS_PASSED=0
RESULTS_FAILED=0
RESULTS_SKIPPED=0
RESULTS_FAULTS=() # once more before the last line, where they are looked for

# results_split JUNIT DIR: one line for each test, "number status name" with status run, fail
# or skip, and what it printed in DIR/number. The XML is ctest's own, which is simple enough.
results_split() {
	awk -v dir="$2" '
		function attribute(text, name) {
			if (!match(text, " " name "=\"[^\"]*\""))
				return ""
			return substr(text, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
		}
		function plain(text) {
			gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text)
			gsub(/&apos;/, "\047", text); gsub(/&#13;/, "", text); gsub(/&amp;/, "\\&", text)
			return text
		}
		BEGIN { RS = "</testcase>" }
		(begin = index($0, "<testcase ")) {
			text = substr($0, begin)
			head = text
			sub(/>.*/, "", head)
			status = attribute(head, "status")
			if (status != "run")
				status = index(text, "message=\"SKIP_RETURN_CODE=") ? "skip" : "fail"
			sub(/.*<system-out>/, "", text)
			sub(/<\/system-out>.*/, "", text)
			printf "%s\n", plain(text) >(dir "/" ++n)
			close(dir "/" n)
			print n, status, plain(attribute(head, "name"))
		}' "$1"
}

# results_skip_allowed RELEASE NAME: whether tests/skips.txt expects it
results_skip_allowed() {
	local glob regex _
	while read -r glob regex _; do
		[[ -n $glob && $glob != '#'* ]] || continue
		# shellcheck disable=SC2053 # a glob is what it is
		[[ $1 == $glob && $2 =~ ^($regex)$ ]] && return 0
	done <"$LAB_SRC/tests/skips.txt"
	return 1
}

# results_read PART DIR: DIR/junit.xml of tests that ran on the kernel DIR/release; what
# failed is shown in full, what was skipped with its reason
results_read() {
	local part=$1 dir=$2 number status name reason release
	if [[ ! -s $dir/junit.xml ]]; then
		results_fault "$part" "the tests did not come to an end"
		return
	fi
	release=$(<"$dir/release")
	while read -r number status name; do
		case $status in
		run) RESULTS_PASSED=$((RESULTS_PASSED + 1)) ;;
		skip)
			reason=$(sed -n 's/^SKIP: //p' "$dir/$number" | tail -n 1)
			if results_skip_allowed "$release" "$name"; then
				RESULTS_SKIPPED=$((RESULTS_SKIPPED + 1))
				printf 'skipped: [%s] %s: %s\n' "$part" "$name" "${reason:-gives no reason}"
			else
				results_fault "$part" "$name: skipped, which no line of tests/skips.txt expects on $release: ${reason:-gives no reason}"
			fi
			;;
		fail)
			results_fault "$part" "$name"
			sed 's/^/  | /' "$dir/$number"
			;;
		esac
	done < <(results_split "$dir/junit.xml" "$dir")
}

# results_fault PART WHAT: a test failed, or something else that counts as one
results_fault() {
	RESULTS_FAILED=$((RESULTS_FAILED + 1))
	RESULTS_FAULTS+=("FAILED: [$1] $2")
	printf '%s\n' "${RESULTS_FAULTS[-1]}"
}

# results_close: the last line; fails if anything did, or if nothing ran
results_close() {
	((RESULTS_PASSED + RESULTS_FAILED)) || say "no test ran."
	((!RESULTS_FAILED)) || printf '%s\n' '' "${RESULTS_FAULTS[@]}"
	printf '%d passed, %d failed, %d skipped\n' "$RESULTS_PASSED" "$RESULTS_FAILED" "$RESULTS_SKIPPED"
	((RESULTS_FAILED == 0 && RESULTS_PASSED > 0))
}
