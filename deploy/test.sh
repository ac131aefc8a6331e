#!/usr/bin/env bash
# Runs the tests and prints the runner's own closing lines. Arguments are
# packages; without any, all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"
go test -timeout 20m -p 2 "${@:-./...}"
