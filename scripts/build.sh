#!/usr/bin/env bash
# Build targets of build/release quietly: output only when something fails.
#
# usage: scripts/build.sh TARGET...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p build/logs
log=build/logs/run.log

echo "Building in build/release (a minute, the first time)"
tests=()
[ -e build/release/CMakeCache.txt ] || tests=(-DNETRON_TESTS=OFF -DNETRON_BENCH=OFF)
if ! { cmake --preset release ${tests[@]+"${tests[@]}"} && cmake --build build/release --target "$@"; } \
    >"$log" 2>&1 </dev/null; then
    grep -E -m 20 'error: |undefined reference|CMake Error|No space' "$log" >&2 || tail -n 40 "$log" >&2
    echo "The build failed; all of its output: $log" >&2
    exit 1
fi
