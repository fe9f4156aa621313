#!/bin/bash
# pmem_store_no_mirror_byte.sh -- pmem_store_no_mirror.sh with transfers of any bytes, not of whole pages
PMEM_STORE_GRANULARITY=byte exec bash "$(dirname "$0")/pmem_store_no_mirror.sh"
