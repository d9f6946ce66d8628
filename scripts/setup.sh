#!/usr/bin/env bash
# Installs from Debian's packages what this machine lacks for the tasks named:
# build, run, test, lint, bench, kernel. Says what and why before it does.
set -euo pipefail

# needs TASK: prints "<program or file> <package> <why>" for each need.
needs() {
	case $1 in
	build)
		echo "go golang-go to build banger"
		echo "git git to name the version"
		;;
	run)
		echo "qemu-system-x86_64 qemu-system-x86 the VMM for machines without KVM or Firecracker"
		echo "mkfs.ext4 e2fsprogs makes VMs' disks"
		echo "mmdebstrap mmdebstrap makes the Debian image"
		echo "newuidmap uidmap lets mmdebstrap work without root"
		;;
	test)
		echo "ssh openssh-client a second opinion on the guest's SSH server"
		echo "gcc gcc the race detector needs a C compiler"
		echo "/usr/include/stdlib.h libc6-dev the race detector needs the C library's headers"
		echo "busybox busybox-static the smallest guest"
		echo "runuser util-linux runs the tests as an ordinary user too"
		echo "depmod kmod a second opinion on modules.dep"
		echo "umoci umoci a second opinion on OCI images"
		echo "rclone rclone publishes bundles"
		;;
	lint)
		echo "shellcheck shellcheck checks the scripts"
		;;
	bench)
		echo "passt passt a rival for the network"
		echo "zstd zstd a rival for pulling bundles"
		echo "curl curl a rival for pulling bundles"
		echo "openssl openssl a rival for pulling bundles"
		;;
	*)
		echo "setup.sh: unknown task $1" >&2
		exit 2
		;;
	esac
}

present() {
	[[ $1 == /* ]] && { [[ -e $1 ]]; return; }
	PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null
}

as_root() {
	if [[ $(id -u) -eq 0 ]]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "banger: these packages have to be installed by root, and sudo is not here: $*" >&2
		exit 1
	fi
}

main() {
	local missing=() task program package why
	for task in "$@"; do
		while read -r program package why; do
			present "$program" && continue
			[[ " ${missing[*]} " == *" $package "* ]] && continue
			missing+=("$package")
			echo "banger: $package is missing: $why" >&2
		done < <(needs "$task")
	done
	[[ ${#missing[@]} -eq 0 ]] && return
	if ! command -v apt-get >/dev/null; then
		echo "banger: install these by hand, as this is not Debian or Ubuntu: ${missing[*]}" >&2
		exit 1
	fi
	echo "banger: installing ${missing[*]} from your distribution's archive" >&2
	as_root apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null
}

main "$@"
