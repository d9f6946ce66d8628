#!/usr/bin/env bash
# Runs the tests that boot guests on Firecracker, as an ordinary user: here where
# KVM works, else in a banger VM, whose emulated processor virtualises. The
# firecracker is FIRECRACKER_BIN or the one on PATH; without one it says so, and
# nothing is tested.
#
#   scripts/e2e-firecracker.sh BANGER [TEST...]     tests of test/vm, all if none
#
# With FIGURES set, it measures Firecracker in place of testing.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
banger=$(realpath "${1:?which banger is to be used?}")
shift
tests=${*:-.}
firecracker=${FIRECRACKER_BIN:-$(command -v firecracker || true)}
home=$root/build/test/home
name=firecracker-e2e-$$
patience=20m # all of the tests take six
stuck=137    # timeout's exit status where it killed
lost=125     # banger's, where the VM does not answer any more
outer=$root/build/test/outer.tar
packages=systemd-sysv,udev,dbus,iproute2,kmod,procps,e2fsprogs,openssh-client,git,busybox-static


if [[ -z $firecracker ]]; then
	say "skipped, nothing was tested: there is no firecracker on PATH, and FIRECRACKER_BIN names none"
	exit
fi

work=$(mktemp -d)
cleanup() {
	env HOME="$home" "$banger" vm rm --force "$name" 2>/dev/null || true
	env HOME="$home" "$banger" image rm "$name" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

# payload DIR: what the tests need, to be found there as /e2e.
payload() {
	local kernels=$1/home/.local/state/banger/kernels
	mkdir -p "$kernels" "$1/home/.local/state/banger/images"
	cp "$banger" "$firecracker" "$1"
	cp scripts/lib/e2e-guest.sh "$1/run"
	local program
	for program in app census hostile mounted secret talk; do
		CGO_ENABLED=0 scripts/go.sh build -trimpath -o "$1/$program" "./test/vm/testdata/$program"
	done
	cp -r internal/vmm/firecracker/testdata "$1"
	cp --sparse=always build/test/debian.tar build/test/apps.tar "$1"
	local package
	for package in test/vm internal/vmm/firecracker internal/jail; do
		CGO_ENABLED=0 scripts/go.sh test -c -o "$1/$(basename "$package").test" "./$package"
	done
	CGO_ENABLED=0 scripts/go.sh build -o "$1/bench" ./test/bench
	CGO_ENABLED=0 scripts/go.sh build -o "$1/guest" ./internal/vmm/vmmtest/testdata/guest
	cp -a --sparse=always "$home/.local/state/banger/images/debian" "$1/home/.local/state/banger/images/"
	# Guests of an emulated machine are quicker without modules to load.
	local built
	built=$(built_kernel)
	if [[ -n $built ]]; then
		env HOME="$1/home" "$banger" kernel import debian --from "$built" --distro generic >/dev/null
	else
		cp -a "$home/.local/state/banger/kernels/debian" "$kernels/"
	fi
}

# nested: the same in a VM, whose image has the payload.
nested() {
	if [[ ! -f $outer ]]; then
		say "making an image for the VM that the tests run in"
		mmdebstrap --quiet --variant=minbase --include="$packages" bookworm "${outer%.tar}.new.tar"
		mv "${outer%.tar}.new.tar" "$outer"
	fi
	cp --sparse=always "$outer" "$work/outer.tar"
	tar -C "$work" --append --file "$work/outer.tar" --owner 0 --group 0 e2e
	export HOME=$home
	"$banger" image pull "tar:$work/outer.tar" --name "$name" --kernel-ref debian >/dev/null
	local try status
	for try in 1 2 3; do
		status=0
		in_vm || status=$?
		# What the emulator does to the VM itself (see the README on QEMU before
		# 8.1) is no test's result.
		[[ $status -eq $stuck || $status -eq $lost ]] || return "$status"
		say "try $try: the VM broke down, and is made anew"
		"$banger" vm rm --force "$name"
	done
	return 1
}

# in_vm: runs the tests in a new VM.
in_vm() {
	timeout --signal KILL "$patience" env BANGER_WARM=false "$banger" vm run --vmm qemu --image "$name" --name "$name" \
		--memory 4G --disk 16G --wait-init -- bash /e2e/run "$tests" "${FIGURES:-}"
}

mkdir -p "$work/e2e"
payload "$work/e2e"
if "$banger" doctor --json | jq -e '.[] | select(.name == "kvm") | .ok' >/dev/null; then
	say "KVM works: the tests run here"
	E2E=$work/e2e bash "$work/e2e/run" "$tests" "${FIGURES:-}"
else
	say "KVM does not work here: the tests run in a VM, by nested virtualisation"
	nested
fi
