#!/bin/bash
# demo.sh -- what lab demo shows
set -u

file=/pmem/ext4/demo
fallocate -l 16M "$file"

echo "== $PINREG_KERNEL: a file on a DAX filesystem, registered with plain ibv_reg_mr =="
echo "\$ ib_write_bw --mmap=$file"
timeout 60 ib_write_bw -d rxe0 --mmap="$file" 2>&1 &
server=$!
until ss -ltn | grep -q ':18515 ' || ! kill -0 "$server" 2>/dev/null; do sleep 0.1; done
timeout 60 ib_write_bw -d rxe0 --mmap="$file" "$PINREG_HOST_A" >/tmp/client 2>&1
wait "$server"
