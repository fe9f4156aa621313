#!/bin/bash
# example_renew_hosts.sh -- 02-renew with the client on a host of its own
set -euo pipefail

cd "$(dirname "$0")/../.."
exec lab/lab run --hosts 2 -- env RENEW_CLIENT_ON=on-b bash tests/guest/example_renew.sh
