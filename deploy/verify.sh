#!/usr/bin/env bash
# Regenerates everything that is committed and generated, and fails on a
# difference; checks formatting, scripts and modules. What go vet knows, make lint
# asks for Linux.
set -euo pipefail
cd "$(dirname "$0")/.."

before=$(git status --porcelain)
make --no-print-directory generate
go mod tidy -diff
# The agent of a Windows host; tests that need Linux say so by their name.
GOOS=windows go build -o /dev/null ./cmd/stickpress-agent
GOOS=windows go vet ./agent/... ./cmd/stickpress-agent

mapfile -t sources < <(git ls-files '*.go')
unformatted=$(gofmt -l "${sources[@]}")
if [ -n "$unformatted" ]; then
  printf 'not formatted:\n%s\n' "$unformatted" >&2
  exit 1
fi
git ls-files '*.sh' .ci/run | xargs shellcheck
after=$(git status --porcelain)
if [ "$before" != "$after" ]; then
  printf 'generated files differ from what is committed:\n' >&2
  git --no-pager diff --stat >&2
  exit 1
fi
echo 'verify: ok'
