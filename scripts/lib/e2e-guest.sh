#!/usr/bin/env bash
# The part of e2e-firecracker.sh that runs where KVM works: as root of a VM that
# was made for it, or as whoever runs the tests. With a second argument it takes
# figures in place of testing.
set -Eeuo pipefail
trap 'echo "e2e: line $LINENO: status $? of: $BASH_COMMAND" >&2' ERR # it is alone there, without lib.sh

dir=${E2E:-/e2e}
tests=$1
export BANGER_WARM=false BANGER_VMM=firecracker BANGER_FIRECRACKER_BIN=$dir/firecracker FIRECRACKER_BIN=$dir/firecracker
export BANGER_TEST_BIN=$dir/banger BANGER_TEST_HOME=$dir/home BANGER_TEST_GUEST=$dir/guest
export BANGER_TEST_KERNEL=$dir/home/.local/state/banger/kernels/debian/vmlinux
modules=$dir/home/.local/state/banger/kernels/debian/modules
[[ ! -d $modules ]] || export BANGER_TEST_MODULES=$modules

as=()
tries=1
if [[ -z ${E2E:-} ]]; then
	# Emulated nested page tables are slow, and now and then catch a guest in a
	# loop; without them some guests of guests still break.
	tries=3
	modprobe kvm_amd npt=0
	modprobe tun
	udevadm settle
	chmod 666 /dev/net/tun # as udev has it on an installed system
	useradd --create-home --groups kvm tester
fi
# become has what follows run as an ordinary user, where this is root.
become() {
	[[ -z ${E2E:-} ]] || return 0
	chown -R tester "$dir"
	as=(runuser -u tester --)
}

if [[ -n ${2:-} ]]; then
	become
	exec "${as[@]}" env HOME="$BANGER_TEST_HOME" "$dir/bench" -banger "$dir/banger" -only qemu,firecracker -pairs 3
fi
log=$(mktemp)

# run PACKAGE REGEX: runs a package's tests, and those that fail once more as long
# as there are tries left.
run() {
	local package=$1 regex=$2 failed try
	for ((try = 1; ; try++)); do
		(cd "$dir" && "${as[@]}" "$dir/$package.test" -test.v -test.parallel 1 -test.timeout 40m -test.run "$regex") 2>&1 | tee "$log" && return
		failed=$(sed -n 's/^--- FAIL: \([A-Za-z0-9_]*\) .*/\1/p' "$log" | paste -sd '|')
		[[ -n $failed && $try -lt $tries ]] || return 1
		regex="^($failed)\$"
		echo "e2e: once more: $failed"
	done
}

status=0
if [[ -z ${E2E:-} ]]; then # what wants root
	run jail . || status=1
	run vm '^(TestFullDisk|TestHostDiskFull)$' || status=1
fi
become
run jail . || status=1
run firecracker . || status=1
run vm "$tests" || status=1
exit "$status"
