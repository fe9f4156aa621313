# run.sh -- lab run, lab shell and lab demo
# shellcheck shell=bash

run_usage() {
	cat <<-'EOF'
	Usage: lab run [OPTION...] -- COMMAND [ARGUMENT...]

	Boots a guest, runs COMMAND in it as root with this checkout's libpinreg installed, passes
	its output on as it comes and returns its exit status. A kernel that prints a warning, an
	oops or the like fails the run.

	  --kernel K             7.2 (default), 7.2-odpfix, 6.12 or 6.1
	  --hosts 2              two guests joined by a network; COMMAND runs on host A and reaches
	                         host B by: on-b COMMAND...
	  --bare                 neither build nor install the library
	  --user                 run COMMAND as a plain user without any capability
	  --timeout S            kill the guest after S seconds and return 124 (default 600)
	  --pmem-dir DIR         keep the persistent memory in files in DIR from run to run
	  --power-cut-on STRING  kill the machine when a line with STRING appears in the output;
	                         that it appeared is success

	The command finds rxe0 on an address that is in PINREG_HOST_A (and PINREG_HOST_B), DAX
	filesystems on /pmem/ext4 and /pmem/xfs, a /dev/dax device, 2 MiB huge pages, the checkout
	on /src (its working directory, read-only) and the build tree in /opt/pinreg/build.

	Example: lab run --hosts 2 -- sh -c 'hostname; on-b hostname; ping -c 1 $PINREG_HOST_B'
	EOF
}

run_options() {
	guest_reset
	RUN_BARE=0
	while (($#)); do
		case $1 in
		--kernel) need_value "$@"; kernel_check "$2"; G_KERNEL=$2; shift 2 ;;
		--hosts)
			need_value "$@"
			[[ $2 == [12] ]] || die_usage "--hosts is '$2'; it can be 1 or 2."
			G_HOSTS=$2
			shift 2
			;;
		--timeout)
			need_value "$@"
			[[ $2 =~ ^[1-9][0-9]*$ ]] || die_usage "--timeout is '$2'; it takes a number of seconds."
			G_TIMEOUT=$2
			shift 2
			;;
		--bare) RUN_BARE=1; shift ;;
		--user) G_USER=1; shift ;;
		--pmem-dir) need_value "$@"; G_PMEM=$2; G_SHARE=on; shift 2 ;;
		--power-cut-on) need_value "$@"; G_CUT=$2; shift 2 ;;
		-h | --help) run_usage; exit ;;
		--) shift; break ;;
		-*) die_usage "lab run knows no '$1'; lab run --help tells what it knows." ;;
		*) break ;;
		esac
	done
	G_COMMAND=("$@")
}

# run_guest: builds what is missing, and runs what the G_ variables say
run_guest() {
	build_guests "$G_KERNEL"
	if ((!RUN_BARE)); then
		project_build
		G_LIBRARY=$PROJECT_DRIVE
	fi
	if [[ -n $G_PMEM ]]; then
		pmem_own "$G_PMEM"
	else
		G_PMEM=$(pmem_dir)
	fi
	guest_run
}

cmd_run() {
	run_options "$@"
	((${#G_COMMAND[@]})) || die_usage "lab run needs a command after --; lab run --help has an example."
	run_guest
}

shell_usage() {
	cat <<-'EOF'
	Usage: lab shell [OPTION...]

	A root shell on this terminal in a guest; the options are those of lab run, as far as they
	make sense without a command. Leaving the shell ends the guest.

	Example: lab shell --kernel 6.12
	EOF
}

cmd_shell() {
	[[ ${1-} != --help && ${1-} != -h ]] || { shell_usage; return; }
	run_options "$@"
	[[ -t 0 && -t 1 ]] || die_usage "lab shell needs a terminal; lab run does without."
	G_SHELL=1
	G_TIMEOUT=infinity
	run_guest
}

demo_usage() {
	cat <<-'EOF'
	Usage: lab demo

	Runs lab/guest/demo.sh in a guest with kernel 7.2.

	Example: lab demo
	EOF
}

cmd_demo() {
	local start=$SECONDS
	[[ ${1-} != --help && ${1-} != -h ]] || { demo_usage; return; }
	(($# == 0)) || die_usage "lab demo takes no arguments."
	run_options -- /src/lab/guest/demo.sh
	run_guest
	say "the demo took $((SECONDS - start)) s"
}
