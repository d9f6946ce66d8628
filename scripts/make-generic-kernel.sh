#!/usr/bin/env bash
# Builds the generic kernel into build/manual/generic-<major.minor>: kernel.org's
# source, Firecracker's guest configuration and configs/generic.fragment. The
# same source and compiler give the same bytes, wherever and whenever.
#
#   scripts/make-generic-kernel.sh           build
#   scripts/make-generic-kernel.sh --name    print the name that a build gets
#
# From the environment:
#   KERNEL_TARBALL  a source archive of your own, which is not downloaded nor
#                   checked (Debian: /usr/src/linux-source-6.12.tar.xz)
#   KERNEL_CONFIG   a configuration of your own to start from
#   KERNEL_KEYS     kernel.org's public keys in a file, instead of asking its
#                   Web Key Directory; only pinned ones count in either case
#   OUT, WORK       where the result and the work go: build/manual, build/kernel
#   JOBS            how many compilers run at once: as many as CPUs
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# The pins. A patch bump changes the first line only.
version=6.12.117
firecracker=v1.16.1
config_line=6.1 # the newest before 6.12 that this release has
config_sha256=adbc70ab5e89213ba00594b12d25e09bdf8bb1ed3c252d7449326bb14c22963b
# Who signs kernel.org's releases, from https://kernel.org/signature.html.
signers=(
	"gregkh@kernel.org 647F28654894E3BD457199BE38DBBDC86092693E"
	"sashal@kernel.org E27E5D8A3403A2EF66873BBCDEA66FF797772CDC"
	"torvalds@kernel.org ABAF11C65A2970B130ABE3C479BE3E4300411886"
)

kernel_url=https://cdn.kernel.org/pub/linux/kernel/v${version%%.*}.x/linux-$version.tar
config_url=https://raw.githubusercontent.com/firecracker-microvm/firecracker/$firecracker/resources/guest_configs/microvm-kernel-ci-x86_64-$config_line.config

root=$(cd "$(dirname "$0")/.." && pwd)
fragment=$root/configs/generic.fragment
out=$(realpath -m "${OUT:-$root/build/manual}")
work=$(realpath -m "${WORK:-$root/build/kernel}")
source=$work/source
log=$work/build.log


# fetch URL FILE: nothing has the name FILE before it is whole.
fetch() {
	[[ -f $2 ]] && return
	mkdir -p "$(dirname "$2")"
	curl --fail --silent --show-error --location --proto =https --retry 3 \
		--output "$2.part" "$1" && mv "$2.part" "$2"
}

# import_keys: fills the keyring of GNUPGHOME.
import_keys() {
	if [[ -n ${KERNEL_KEYS:-} ]]; then
		gpg --batch --quiet --import "$KERNEL_KEYS"
		return
	fi
	local signer
	for signer in "${signers[@]}"; do
		gpg --batch --quiet --auto-key-locate clear,wkd --locate-external-keys "${signer%% *}" >/dev/null ||
			say "${signer%% *}: no key in kernel.org's Web Key Directory"
	done
}

# signer TARBALL SIGNATURE: prints the primary key that made the signature,
# which is of the archive before it was compressed.
signer() {
	xz --decompress --stdout "$1" |
		gpg --batch --status-fd 1 --verify "$2" - 2>"$GNUPGHOME/log" |
		awk '$2 == "VALIDSIG" { print $NF }'
}

# check_signature TARBALL SIGNATURE
check_signature() (
	GNUPGHOME=$(mktemp -d)
	export GNUPGHOME
	trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
	import_keys
	key=$(signer "$1" "$2") || true
	[[ -n $key ]] || die "$1: the signature is not good: $(tail -n 1 "$GNUPGHOME/log")"
	for signer in "${signers[@]}"; do
		if [[ $key == "${signer##* }" ]]; then
			say "$(basename "$1") is signed by ${signer%% *}"
			return
		fi
	done
	die "$1: signed by $key, who is no signer of kernel.org's releases"
)

# get_source: makes the tree in $source.
get_source() {
	local tarball=${KERNEL_TARBALL:-$work/download/linux-$version.tar.xz}
	if [[ -n ${KERNEL_TARBALL:-} ]]; then
		say "source: $tarball, as it is"
	else
		fetch "$kernel_url.xz" "$tarball" || die "no source: with KERNEL_TARBALL=FILE it comes from a file"
		fetch "$kernel_url.sign" "${tarball%.xz}.sign" || die "no signature of the source"
		check_signature "$tarball" "${tarball%.xz}.sign"
	fi
	rm -rf "$source"
	mkdir -p "$source"
	tar -xf "$tarball" -C "$source" --strip-components=1
	[[ -f $source/Kconfig ]] || die "$tarball: there is no kernel's source in it"
}

# get_config: prints the file to start from; nothing where none is to be had.
get_config() {
	local config=$work/download/firecracker-$firecracker-$config_line.config
	if [[ -n ${KERNEL_CONFIG:-} ]]; then
		say "configuration: $KERNEL_CONFIG"
		realpath -e "$KERNEL_CONFIG"
		return
	fi
	fetch "$config_url" "$config" || return 0
	sha256sum --status --check <<<"$config_sha256  $config" ||
		die "$config: its SHA-256 is not the pinned one; delete it if it should be fetched again"
	say "configuration: Firecracker $firecracker's for guests of Linux $config_line, brought up to this kernel"
	echo "$config"
}

kmake() {
	(cd "$source" && make ARCH=x86_64 LOCALVERSION= "$@" >>"$log" 2>&1) ||
		die "make $* failed; the end of $log:"$'\n'"$(tail -n 20 "$log")"
}

# configure: writes the tree's .config.
configure() {
	local base
	base=$(get_config)
	if [[ -z $base ]]; then
		say "configuration: Firecracker's cannot be had, so the kernel's own defconfig and kvm_guest.config"
		kmake defconfig kvm_guest.config
		base=.config
	fi
	(cd "$source" && scripts/kconfig/merge_config.sh -m "$base" "$fragment" >>"$log" 2>&1) ||
		die "merging $fragment failed; see $log"
	kmake olddefconfig
	check_config
}

# check_config: fails unless each line of the fragment holds.
check_config() {
	local missing
	missing=$(awk '
		FNR == NR { if (/^CONFIG_/) has[substr($0, 1, index($0, "=") - 1)] = $0; next }
		/^CONFIG_/ && has[substr($0, 1, index($0, "=") - 1)] != $0 { print "  " $0 }
		/^# CONFIG_[A-Za-z0-9_]* is not set$/ && $2 in has { print "  " $0 }
	' "$source/.config" "$fragment")
	[[ -z $missing ]] || die "options of $(basename "$fragment") that did not take:"$'\n'"$missing"
}

# pin: takes out of the build what is not in its source.
pin() {
	unset MAKEFLAGS MFLAGS MAKELEVEL KCFLAGS KCPPFLAGS KAFLAGS CROSS_COMPILE KBUILD_OUTPUT
	export LC_ALL=C TZ=UTC KBUILD_BUILD_USER=banger KBUILD_BUILD_HOST=banger KBUILD_BUILD_VERSION=1
	SOURCE_DATE_EPOCH=$(stat --format %Y "$source/Makefile")
	KBUILD_BUILD_TIMESTAMP=$(date --utc --date "@$SOURCE_DATE_EPOCH" '+%a %b %e %H:%M:%S UTC %Y')
	export SOURCE_DATE_EPOCH KBUILD_BUILD_TIMESTAMP
}

# name VERSION: what its kernel is called.
name() { [[ $1 =~ ^([0-9]+\.[0-9]+) ]] && echo "generic-${BASH_REMATCH[1]}"; }

# keep VERSION: puts the result where it is imported from.
keep() {
	local to
	to=$out/$(name "$1")
	rm -rf "$to.new"
	mkdir -p "$to.new"
	strip --strip-all -o "$to.new/vmlinux" "$source/vmlinux"
	cp "$source/.config" "$to.new/config"
	chmod 644 "$to.new"/*
	rm -rf "$to"
	mv "$to.new" "$to"
	say "$to/vmlinux: Linux $1, $(stat --format %s "$to/vmlinux") bytes, SHA-256 $(sha256sum <"$to/vmlinux" | cut -c1-64)"
	say "now: banger kernel import $(name "$1") --from $to --distro generic"
}

main() {
	if [[ ${1:-} == --name ]]; then
		name "$version"
		return
	fi
	[[ $# -eq 0 ]] || die "usage: $0 [--name]"
	[[ $(uname -m) == x86_64 ]] || die "the generic kernel is built on x86_64 only"
	mkdir -p "$work"
	: >"$log"
	get_source
	pin
	configure
	local built
	built=$(make -s -C "$source" kernelversion)
	say "building Linux $built; see $log"
	kmake -j"${JOBS:-$(nproc)}" vmlinux
	keep "$built"
}

main "$@"
