#!/usr/bin/env bash
# Runs the tests named with the race detector, prints the packages' results and
# what was skipped and why, and fails where a test did.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
export BANGER_TEST_BIN=$root/build/bin/banger
export BANGER_TEST_HOME=$root/build/test/home
export BANGER_TEST_KERNEL=$BANGER_TEST_HOME/.local/state/banger/kernels/debian/vmlinux
export BANGER_TEST_MODULES=$BANGER_TEST_HOME/.local/state/banger/kernels/debian/modules
# QEMU before 8.1 emulates several processors with a race that now and then stops
# a guest, see the README: the tests that do not ask for more have one.
export BANGER_CPUS=1
# Templates are made in the background, where their makers would take time from
# other tests and outlive them: the tests that are about them switch them on.
export BANGER_WARM=false
log=build/test/go-test.log
mkdir -p build/test

status=0
scripts/go.sh test -race -timeout 60m -v "$@" >"$log" 2>&1 || status=$?
# A failed test's own lines, then each package's result.
grep -vE '^\s*(=== |--- (PASS|SKIP))' "$log" | grep -E '^(ok|FAIL|panic|---|\s+---|\s+[a-z_0-9]+\.go:[0-9]+:|WARNING: DATA RACE)|cannot|undefined' || true
echo
echo "skipped:"
grep -A1 -E '^\s*--- SKIP' "$log" | grep -vE '^--$' || echo "  nothing"
passed=$(grep -cE '^\s*--- PASS' "$log" || true)
failed=$(grep -cE '^\s*--- FAIL' "$log" || true)
skipped=$(grep -cE '^\s*--- SKIP' "$log" || true)
[[ $status -eq 0 ]] || echo "the whole output is in $log"
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
