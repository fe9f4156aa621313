#!/bin/bash
# leases_doc.sh -- the code in docs/leases.md is code
set -euo pipefail

source=${PINREG_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{
	cat <<-'END'
		#include <pinreg/pinreg.h>
		void my_peers_drain(uint64_t deadline_ns);
		void my_peers_go_on(const struct pinreg_keys *keys, uint64_t offset, uint64_t length);
		void my_file_is_gone(struct pinreg_file *file, const struct pinreg_why *why);
		void take_events(struct pinreg_domain *domain, struct pinreg_region *region);
		void take_events(struct pinreg_domain *domain, struct pinreg_region *region)
		{
			struct pinreg_event event = { .size = sizeof(event) };
			struct pinreg_keys keys = { .size = sizeof(keys) };
	END
	# shellcheck disable=SC2016 # backquotes of the document
	sed -n '/^```c$/,/^```$/p' "$source/docs/leases.md" | grep -v '^```'
	echo '}'
} >"$work/code.c"
lines=$(sed -n '/^while/,/^}/p' "$work/code.c" | wc -l)
((lines >= 8 && lines <= 12)) || { cat "$work/code.c"; echo "FAIL: $lines lines of code"; exit 1; }
"${CC:-cc}" -std=c17 -Wall -Wextra -Werror -I"$source/include" -fsyntax-only "$work/code.c"
printf '%d lines compile\n' "$lines"
