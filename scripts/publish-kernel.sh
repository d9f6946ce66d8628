#!/usr/bin/env bash
# Publishes an imported kernel: packs it, uploads it, checks what the public
# gets, and only then puts it in the catalog. docs/kernel-catalog.md tells more.
#
#   scripts/publish-kernel.sh NAME [--description TEXT] [--dry-run]
#   scripts/publish-kernel.sh --remove NAME [--arch ARCH] [--dry-run]
#
# From the environment:
#   BANGER_KERNELS_DIR  where the kernel is; banger's own place
#   RCLONE_REMOTE       the remote, as rclone config names it: r2
#   RCLONE_BUCKET       its bucket: banger-kernels
#   BASE_URL            the bucket's public URL: https://kernels.thaloco.com
#   BANGER, CATALOG     the program and the catalog: those of this tree
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/lib/publish.sh
source "$root/scripts/lib/publish.sh"

RCLONE_REMOTE=${RCLONE_REMOTE:-r2}
RCLONE_BUCKET=${RCLONE_BUCKET:-banger-kernels}
BASE_URL=${BASE_URL:-https://kernels.thaloco.com}
BASE_URL=${BASE_URL%/}
banger=${BANGER:-$root/build/bin/banger}
catalog=${CATALOG:-$root/internal/kernelcat/catalog.json}

usage() { die "usage: $0 NAME [--description TEXT] [--dry-run], or $0 --remove NAME [--arch ARCH] [--dry-run]"; }

parse() {
	name='' arch=x86_64 description=() dry_run=false remove=false
	while [[ $# -gt 0 ]]; do
		case $1 in
		--description)
			[[ $# -ge 2 ]] || usage
			description=(--description "$2")
			shift
			;;
		--arch)
			[[ $# -ge 2 ]] || usage
			arch=$2
			shift
			;;
		--dry-run) dry_run=true ;;
		--remove) remove=true ;;
		-*) usage ;;
		*)
			[[ -z $name ]] || usage
			name=$1
			;;
		esac
		shift
	done
	[[ -n $name ]] || usage
}

patch() { "$banger" internal patch-catalog --kind kernel --file "$catalog" --name "$name" "$@"; }

publish() {
	local packed sum url plain pinned
	need jq rclone curl
	packed=$temporary/packed.json
	"$banger" internal pack-kernel "$name" "$temporary/bundle" >"$packed"
	arch=$(field arch "$packed")
	sum=$(sha256 "$temporary/bundle")
	[[ $sum == "$(field sha256 "$packed")" ]] || die "$name changed while it was packed"
	plain=$name-$arch.tar.zst
	pinned=$name-$arch-${sum:0:12}.tar.zst
	url=$BASE_URL/$pinned
	say "$name for $arch, Linux $(field kernel_version "$packed"): $(field size "$packed") bytes, SHA-256 $sum"
	if $dry_run; then
		say "would upload $(object "$pinned") and $(object "$plain"), and put $url in $catalog"
		return
	fi
	upload_bundle "$temporary/bundle" "$plain" "$pinned"
	check_public "$temporary/bundle" "$plain" "$pinned"
	patch --arch "$arch" --distro "$(field distro "$packed")" \
		--kernel-version "$(field kernel_version "$packed")" \
		--url "$url" --sha256 "$sum" --size "$(field size "$packed")" "${description[@]}"
	next_steps "$catalog" "kernelcat: publish $name, Linux $(field kernel_version "$packed")"
}

# unpublish: the catalog first, so that it never names what is not there. The
# pinned objects stay for the bangers that were built with an older catalog.
unpublish() {
	local plain=$name-$arch.tar.zst
	need rclone
	if $dry_run; then
		say "would take $name for $arch out of $catalog, and remove $(object "$plain")"
		return
	fi
	patch --arch "$arch" --remove
	remove_object "$plain"
	next_steps "$catalog" "kernelcat: remove $name"
}

parse "$@"
[[ -x $banger ]] || die "$banger is not there: make build"
if $remove; then
	unpublish
	exit
fi
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
publish
