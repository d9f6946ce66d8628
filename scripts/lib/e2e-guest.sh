#!/usr/bin/env bash
# The part of e2e-firecracker.sh that runs where KVM works: as root of a VM that
# was made for it, or as whoever runs the tests.
set -euo pipefail

dir=${E2E:-/e2e}
tests=$1
export BANGER_VMM=firecracker BANGER_FIRECRACKER_BIN=$dir/firecracker FIRECRACKER_BIN=$dir/firecracker
export BANGER_TEST_BIN=$dir/banger BANGER_TEST_HOME=$dir/home BANGER_TEST_GUEST=$dir/guest
export BANGER_TEST_KERNEL=$dir/home/.local/state/banger/kernels/debian/vmlinux
modules=$dir/home/.local/state/banger/kernels/debian/modules
[[ ! -d $modules ]] || export BANGER_TEST_MODULES=$modules

as=()
if [[ -z ${E2E:-} ]]; then
	modprobe -a kvm_amd tun
	udevadm settle
	chmod 666 /dev/net/tun # as udev has it on an installed system
	useradd --create-home --groups kvm tester
	chown -R tester "$dir"
	as=(runuser -u tester --)
	(cd "$dir" && "$dir/jail.test" -test.v) # some of which wants root
fi

status=0
for package in jail firecracker; do
	(cd "$dir" && "${as[@]}" "$dir/$package.test" -test.v -test.timeout 15m) || status=$?
done
(cd "$dir" && "${as[@]}" "$dir/vm.test" -test.v -test.timeout 60m -test.run "$tests") || status=$?
exit "$status"
