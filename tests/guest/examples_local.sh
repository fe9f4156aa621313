#!/bin/bash
# examples_local.sh -- the examples that need no peer: 01-register and 03-cache
. "$(dirname "$0")/lib.sh"

examples=${PINREG_BUILD_DIR:-/opt/pinreg/build}/examples
[[ -n ${PINREG_HOST_A-} ]] || skip "no RDMA device: this runs in the lab's guest"

case_of "01-register: one range is registered, one refused for its hole"
expect 0 "$examples/01-register"
grep -q 'refused (Bad address, hole)' "$WORK/out" || fail "$(<"$WORK/out")"
expect 3 "$examples/01-register" mlx5_7

case_of "03-cache: what is there is given again, what was unmapped is not"
expect 0 "$examples/03-cache"
cat "$WORK/out"
grep -q '^monitor uffd$' "$WORK/out" || fail "not the monitor that this kernel has"
expect 2 "$examples/03-cache" rxe0 rxe0
