# archive.sh -- Debian packages, by apt with a state of its own
# shellcheck shell=bash

# The machine's own apt is only asked for an address: its sources, lists and pins must
# not decide what ends up in a guest.

ARCHIVE_SUITES=(trixie trixie-backports bookworm)
ARCHIVE_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

archive_mirror() {
	local uri
	if [[ -n ${PINREG_LAB_MIRROR-} ]]; then
		printf '%s\n' "${PINREG_LAB_MIRROR%/}"
		return
	fi
	# Label tells the main archive from the security one, whose origin is the same.
	# shellcheck disable=SC2016 # the format is apt's
	uri=$(apt-get indextargets --format '$(REPO_URI)' \
		'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
	[[ -n $uri ]] ||
		die "this machine's apt has no Debian archive configured (or no lists: apt-get update); set PINREG_LAB_MIRROR to one."
	printf '%s\n' "${uri%/}"
}

# The state is redone when its configuration changes or it is older than a day.
archive_prepare() {
	local dir=$LAB_CACHE/apt mirror suite
	mirror=$(archive_mirror)
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	touch "$dir/status"
	for suite in "${ARCHIVE_SUITES[@]}"; do
		printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' "$ARCHIVE_KEYRING" "$mirror" "$suite"
	done >"$dir/sources.list.new"
	cat >"$dir/apt.conf" <<-EOF
	quiet "2";
	Dir::Etc::sourcelist "$dir/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::State::lists "$dir/lists";
	Dir::State::status "$dir/status";
	Dir::Cache "$dir";
	APT::Architecture "amd64";
	APT::Architectures { "amd64"; };
	APT::Sandbox::User "$(id -un)";
	Acquire::Languages "none";
	EOF
	if cmp -s "$dir/sources.list.new" "$dir/sources.list" &&
		[[ -n $(find "$dir/updated" -mtime -1 2>/dev/null) ]]; then
		return 0
	fi
	mv "$dir/sources.list.new" "$dir/sources.list"
	archive_apt apt-get update -q --error-on=any
	touch "$dir/updated"
}

archive_apt() {
	APT_CONFIG=$LAB_CACHE/apt/apt.conf "$@"
}

archive_update() {
	(
		flock 9
		step "reading the archive's lists" archive_prepare 9>&-
	) 9>"$LAB_CACHE/locks/apt"
}

# archive_newest REGEX: the package with the highest version in its name
archive_newest() {
	archive_apt apt-cache search --names-only "$1" | cut -d' ' -f1 | sort -V | tail -n 1
}

# archive_version PACKAGE: the newest version that the archive has
archive_version() {
	archive_apt apt-cache show --no-all-versions "$1" | sed -n 's/^Version: //p'
}

# archive_fetch PACKAGE[=VERSION]...: into the cache of packages, their paths on stdout
archive_fetch() {
	local dir=$LAB_CACHE/debs name version file
	mkdir -p "$dir"
	for name; do
		version=${name#*=}
		[[ $version != "$name" ]] || version=$(archive_version "$name")
		name=${name%%=*}
		[[ -n $version ]] || {
			say "the archive has no package $name."
			return 1
		}
		# apt writes the epoch's colon as %3a
		file=$(find "$dir" -maxdepth 1 -name "${name}_${version//:/%3a}_*.deb" -print -quit)
		if [[ -z $file ]]; then
			(
				flock 9
				cd "$dir" || exit
				archive_apt apt-get download -q "$name=$version" >&2
			) 9>"$LAB_CACHE/locks/debs"
			file=$(find "$dir" -maxdepth 1 -name "${name}_${version//:/%3a}_*.deb" -print -quit)
		fi
		printf '%s\n' "$file"
	done
}
