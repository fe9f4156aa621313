#!/bin/bash
# docs_code.sh -- the code in docs/leases.md and docs/cache.md is code
set -euo pipefail

source=${PINREG_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile DOCUMENT: its first block of C, in the function that standard input begins
compile() {
	local code=$work/$1.c lines
	{
		printf '#include <pinreg/pinreg.h>\n'
		cat
		# shellcheck disable=SC2016 # backquotes of the document
		sed -n '/^```c$/,/^```$/{/^```/!p}' "$source/docs/$1" | tee "$work/block"
		printf '}\n'
	} >"$code"
	lines=$(wc -l <"$work/block")
	((lines >= 8 && lines <= 12)) || { cat "$code"; echo "FAIL: $lines lines of code"; exit 1; }
	"${CC:-cc}" -std=c17 -Wall -Wextra -Werror -I"$source/include" -fsyntax-only "$code"
	printf '%s: %d lines compile\n' "$1" "$lines"
}

compile leases.md <<-'END'
	void my_peers_drain(uint64_t deadline_ns);
	void my_peers_go_on(const struct pinreg_keys *keys, uint64_t offset, uint64_t length);
	void my_file_is_gone(struct pinreg_file *file, const struct pinreg_why *why);
	void take_events(struct pinreg_domain *domain, struct pinreg_region *region);
	void take_events(struct pinreg_domain *domain, struct pinreg_region *region)
	{
		struct pinreg_event event = { .size = sizeof(event) };
		struct pinreg_keys keys = { .size = sizeof(keys) };
END

compile cache.md <<-'END'
	int my_complaint(const struct pinreg_why *why);
	int my_next_buffer(void **buffer, size_t *length);
	void my_transfer(void *buffer, size_t length, uint32_t lkey);
	int transfer_all(struct pinreg_domain *domain);
	int transfer_all(struct pinreg_domain *domain)
	{
		struct pinreg_keys keys = { .size = sizeof(keys) };
		struct pinreg_cache *cache;
		struct pinreg_region *region;
		struct pinreg_why why;
		void *buffer;
		size_t length;
END
