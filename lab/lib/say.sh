# say.sh -- what the lab tells its user: progress, times, failures
# shellcheck shell=bash

# Everything goes to stderr: stdout belongs to the command in the guest.
say() {
	printf 'lab: %s\n' "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# A mistake on the command line; 2, so that scripts can tell it from a failure.
die_usage() {
	say "$*"
	exit 2
}

# step WHAT COMMAND...: run a step of a build, tell how long it took. Its output is
# shown only when it fails. ASSUMPTION: not called in a condition (if, ||, !), where
# bash would let COMMAND run on after a failure.
step() {
	local what=$1 log start=$SECONDS status
	shift
	log=$(mktemp "${TMPDIR:-/tmp}/pinreg-lab.XXXXXX")
	say "$what ..."
	set +e
	(
		set -e
		"$@"
	) >"$log" 2>&1 </dev/null
	status=$?
	set -e
	if ((status)); then
		tail -n 60 "$log" >&2
		say "$what: failed with status $status after $((SECONDS - start)) s."
	else
		say "$what: $((SECONDS - start)) s"
	fi
	rm -f "$log"
	return "$status"
}

need_value() {
	[[ $# -ge 2 ]] || die_usage "$1 needs a value."
}
