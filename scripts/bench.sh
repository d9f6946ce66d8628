#!/usr/bin/env bash
# Runs the benchmarks on the kernel and the image of the tests, and boots also
# the generic kernel where make kernel has left one. Firecracker is measured in
# a VM where there is no KVM.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
bench=$root/build/bin/bench
cd "$root"
scripts/go.sh build -o "$bench" ./test/bench
user=$HOME
export BANGER_WARM=false # but where it is what is measured
export HOME=$root/build/test/home PATH=$PATH:/usr/sbin:/sbin
banger=$(realpath "${1:?which banger is to be used?}")
status=0 # what cannot be measured does not end the rest
built=$(built_kernel)
if [[ -n $built ]]; then
	"$banger" kernel rm --force generic 2>/dev/null || true # that of an earlier build
	"$banger" kernel import generic --from "$built" --distro generic >/dev/null
	"$bench" -banger "$banger" -kernel generic -only boot,warm,network,qemu || status=1
fi
if ! "$banger" image show bench-mount >/dev/null 2>&1; then
	"$banger" image pull "mmdebstrap:bookworm+sshfs,git" --name bench-mount --kernel-ref debian
fi
"$bench" -banger "$banger" -only mount || status=1
"$bench" -banger "$banger" -only boot,exec,files,create,warm,fork,qemu,port,pull,list,image || status=1
if ! "$banger" doctor --json | jq -e '.[] | select(.name == "kvm") | .ok' >/dev/null; then
	HOME=$user FIGURES=1 scripts/e2e-firecracker.sh "$banger" || status=1
else
	"$bench" -banger "$banger" -only firecracker || status=1
fi
[[ $status -eq 0 ]] || die "not all could be measured"
