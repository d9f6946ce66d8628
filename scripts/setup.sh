#!/usr/bin/env bash
# Installs from Debian's packages what this machine lacks for the tasks named:
# build, run, test, soak, lint, bench, kernel, publish. Says what and why before.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# needs TASK: prints "<program or file> <package> <why>" for each need.
needs() {
	case $1 in
	build)
		echo "go golang-go to build banger"
		echo "git git to name the version"
		;;
	run)
		echo "qemu-system-x86_64 qemu-system-x86 the VMM for machines without KVM or Firecracker"
		echo "mmdebstrap mmdebstrap makes the Debian image"
		echo "newuidmap uidmap lets mmdebstrap work without root"
		;;
	test)
		echo "ssh openssh-client a second opinion on the guest's SSH server"
		echo "gcc gcc the race detector needs a C compiler"
		echo "/usr/include/stdlib.h libc6-dev the race detector needs the C library's headers"
		echo "busybox busybox-static the smallest guest"
		echo "mkfs.ext4 e2fsprogs a second opinion on file systems"
		echo "musl-gcc musl-tools guests with another C library"
		echo "runuser util-linux runs the tests as an ordinary user too"
		echo "depmod kmod a second opinion on modules.dep"
		echo "umoci umoci a second opinion on OCI images"
		echo "dpkg-deb dpkg packages for guests"
		python3 -c 'import ensurepip' 2>/dev/null ||
			echo "ensurepip python3-venv the Python client and its tests"
		needs publish
		;;
	golden)
		docker version >/dev/null 2>&1 || podman version >/dev/null 2>&1 ||
			echo "buildah buildah builds the golden image's Dockerfile, where neither Docker nor Podman runs"
		echo "debugfs e2fsprogs lists an image's packages"
		;;
	publish)
		echo "rclone rclone uploads bundles"
		echo "curl curl reads back what was uploaded"
		echo "jq jq reads what banger prints"
		echo "zstd zstd compresses bundles"
		;;
	kernel)
		echo "gcc gcc compiles the kernel"
		echo "make make builds the kernel"
		echo "/usr/include/stdlib.h libc6-dev the kernel's build makes programs of its own"
		echo "ld binutils links and strips the kernel"
		echo "flex flex the kernel's build needs it"
		echo "bison bison the kernel's build needs it"
		echo "bc bc the kernel's build needs it"
		echo "perl perl the kernel's build needs it"
		echo "/usr/include/gelf.h libelf-dev the kernel's build reads object files"
		echo "xz xz-utils unpacks the kernel's source"
		echo "curl curl downloads the kernel's source"
		echo "gpg gnupg checks the source's signature"
		echo "dirmngr dirmngr finds the keys of kernel.org's signers"
		;;
	soak)
		echo "strace strace kills banger at chosen system calls"
		echo "mount mount mounts disks whose power is cut"
		echo "e2fsck e2fsprogs checks what guests and kills leave of file systems"
		;;
	lint)
		echo "shellcheck shellcheck checks the scripts"
		;;
	bench)
		echo "passt passt a rival for the network"
		echo "umoci umoci a rival for pulling images"
		needs publish
		echo "openssl openssl a rival for pulling bundles"
		;;
	*)
		die "setup.sh: unknown task $1"
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
		die "these packages have to be installed by root, and sudo is not here: $*"
	fi
}

main() {
	local missing=() task all program package why
	for task in "$@"; do
		all=$(needs "$task")
		while read -r program package why; do
			[[ -z $program ]] || present "$program" && continue
			[[ " ${missing[*]} " == *" $package "* ]] && continue
			missing+=("$package")
			echo "banger: $package is missing: $why" >&2
		done <<<"$all"
	done
	[[ ${#missing[@]} -eq 0 ]] && return
	if ! command -v apt-get >/dev/null; then
		die "install these by hand, as this is not Debian or Ubuntu: ${missing[*]}"
	fi
	echo "banger: installing ${missing[*]} from your distribution's archive" >&2
	as_root apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null
}

main "$@"
