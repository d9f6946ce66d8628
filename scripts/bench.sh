#!/usr/bin/env bash
# Runs the benchmarks on the kernel and the image of the tests.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bench=$root/build/bin/bench
cd "$root"
scripts/go.sh build -o "$bench" ./test/bench
export HOME=$root/build/test/home
PATH=$PATH:/usr/sbin:/sbin exec "$bench" -banger "$(realpath "$1")"
