#!/usr/bin/env bash
# Runs the benchmarks on the kernel and the image of the tests, and boots also
# the generic kernel where make kernel has left one. Firecracker is measured in
# a VM where there is no KVM.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bench=$root/build/bin/bench
cd "$root"
scripts/go.sh build -o "$bench" ./test/bench
user=$HOME
export HOME=$root/build/test/home PATH=$PATH:/usr/sbin:/sbin
banger=$(realpath "$1")
built=$(find build/manual -maxdepth 1 -name 'generic-*' 2>/dev/null | sort -V | tail -1)
if [[ -n $built ]]; then
	"$banger" kernel rm --force generic 2>/dev/null || true # that of an earlier build
	"$banger" kernel import generic --from "$built" --distro generic >/dev/null
	"$bench" -banger "$banger" -kernel generic -only boot,network,vmms
fi
"$bench" -banger "$banger"
if ! "$banger" doctor --json | jq -e '.[] | select(.name == "kvm") | .ok' >/dev/null; then
	HOME=$user FIGURES=1 scripts/e2e-firecracker.sh "$banger"
fi
