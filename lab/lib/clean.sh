# clean.sh -- lab clean: what the cache holds and nothing refers to any more
# shellcheck shell=bash

clean_usage() {
	cat <<-'EOF'
	Usage: lab clean [--all]

	Removes images and kernels that were made from other scripts or package lists than this
	checkout's, builds of checkouts that are gone, and downloaded packages. With --all, the
	whole cache. Guests that run keep what they have opened; a lab that builds meanwhile may fail.

	Example: lab clean
	EOF
}

# clean_wanted: the directories to keep
clean_wanted() {
	local label dir
	userland_dir
	image_dir
	pmem_dir
	for label in "${KERNEL_LABELS[@]}"; do
		kernel_dir "$label"
	done
	project_dir
	for dir in "$LAB_CACHE"/{library,native}/*; do
		[[ ! -s $dir/source || ! -d $(<"$dir/source") ]] || [[ $dir == "$LAB_CACHE/library/"* &&
			$(<"$dir/userland") != "$(userland_dir)" ]] || printf '%s\n' "$dir"
	done
}

clean_size() {
	as_root du -sm "$LAB_CACHE" | cut -f1
}

cmd_clean() {
	local dir before wanted
	case ${1-} in
	-h | --help) clean_usage; return ;;
	--all | '') ;;
	*) die_usage "lab clean knows no '$1'; lab clean --help tells what it knows." ;;
	esac
	cache_dir
	before=$(clean_size)
	if [[ ${1-} == --all ]]; then
		remove_tree "$LAB_CACHE"
		say "removed the cache, $before MiB."
		return
	fi
	wanted=$(clean_wanted)
	for dir in "$LAB_CACHE"/{userland,image,pmem,kernel,library,native}/*; do
		[[ ! -e $dir ]] || grep -qxF "$dir" <<<"$wanted" || remove_tree "$dir"
	done
	rm -rf "$LAB_CACHE/debs"
	say "removed $((before - $(clean_size))) of $before MiB."
}
