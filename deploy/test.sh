#!/usr/bin/env bash
# Runs the tests and prints the runner's own closing lines. Arguments are
# packages; without any, all of them. The packages in which goroutines meet are
# run with the race detector; web starts none.
#
# Some tests make loop devices and run a database under another account, which
# needs root: for somebody else, the test binaries (not the compiler) are run
# with sudo.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo 'The tests of devices and of the private database need root: run as root, or install sudo.' >&2
    exit 1
  fi
  sudo -v
  as_root=(-exec "sudo env PATH=$PATH GOMODCACHE=$(go env GOMODCACHE) GOFLAGS=-buildvcs=false")
fi

if [ "$#" -gt 0 ]; then
  exec go test -timeout 20m -p 2 "${as_root[@]}" "$@"
fi
go test -race -timeout 20m -p 2 "${as_root[@]}" ./agent/... ./api/... ./store/...
go test -timeout 20m -p 2 "${as_root[@]}" ./web/... ./cmd/... ./migrations/...
