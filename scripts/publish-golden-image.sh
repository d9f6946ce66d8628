#!/usr/bin/env bash
# Publishes the golden image: builds it of images/golden/Dockerfile, packs it,
# uploads it with the list of its packages, checks what the public gets, and only
# then puts it in the catalog. docs/image-catalog.md tells more.
#
#   scripts/publish-golden-image.sh [NAME] [--build-arg KEY=VALUE]... [--no-build]
#       [--description TEXT] [--dry-run]
#   scripts/publish-golden-image.sh --remove NAME [--arch ARCH] [--dry-run]
#
# NAME is debian-bookworm where none is given. --no-build publishes the image of
# that name as it is.
#
# From the environment:
#   KERNEL_REF       the kernel that the image is made for: generic-6.12
#   RCLONE_REMOTE    the remote, as rclone config names it: r2
#   RCLONE_BUCKET    its bucket: banger-images
#   BASE_URL         the bucket's public URL: https://images.thaloco.com
#   BANGER, CATALOG  the program and the catalog: those of this tree
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/lib/publish.sh
source "$root/scripts/lib/publish.sh"

KERNEL_REF=${KERNEL_REF:-generic-6.12}
RCLONE_REMOTE=${RCLONE_REMOTE:-r2}
RCLONE_BUCKET=${RCLONE_BUCKET:-banger-images}
BASE_URL=${BASE_URL:-https://images.thaloco.com}
BASE_URL=${BASE_URL%/}
banger=${BANGER:-$root/build/bin/banger}
catalog=${CATALOG:-$root/internal/imagecat/catalog.json}

usage() {
	die "usage: $0 [NAME] [--build-arg KEY=VALUE]... [--no-build] [--description TEXT] [--dry-run]," \
		"or $0 --remove NAME [--arch ARCH] [--dry-run]"
}

parse() {
	name='' arch=x86_64 description=() build_args=() build=true dry_run=false remove=false
	while [[ $# -gt 0 ]]; do
		case $1 in
		--description | --arch | --build-arg)
			[[ $# -ge 2 ]] || usage
			case $1 in
			--description) description=(--description "$2") ;;
			--arch) arch=$2 ;;
			--build-arg) build_args+=(--build-arg "$2") ;;
			esac
			shift
			;;
		--no-build) build=false ;;
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
	[[ -n $name ]] || ! $remove || usage
	name=${name:-debian-bookworm}
}

patch() { "$banger" internal patch-catalog --kind image --file "$catalog" --name "$name" "$@"; }

publish() {
	local packed sbom sum url plain pinned
	need jq rclone curl zstd debugfs
	if $build; then
		"$banger" image build --force --file "$root/images/golden/Dockerfile" --name "$name" --kernel-ref "$KERNEL_REF" \
			"${build_args[@]}" "$root/images/golden" >/dev/null
	fi
	packed=$temporary/packed.json sbom=$temporary/sbom.json
	say "packing $name"
	"$banger" internal pack-image "$name" "$temporary/bundle" >"$packed"
	tar --zstd -xSf "$temporary/bundle" -C "$temporary" rootfs.ext4
	"$root/scripts/sbom.sh" "$temporary/rootfs.ext4" "$name" >"$sbom"
	arch=$(field arch "$packed")
	sum=$(sha256 "$temporary/bundle")
	[[ $sum == "$(field sha256 "$packed")" ]] || die "$name changed while it was packed"
	plain=$name-$arch.tar.zst
	pinned=$name-$arch-${sum:0:12}.tar.zst
	url=$BASE_URL/$pinned
	say "$name for $arch, $(field distro "$packed"), $(jq '.packages | length' "$sbom") packages:" \
		"$(field size "$packed") bytes, SHA-256 $sum"
	if $dry_run; then
		say "would upload $(object "$pinned"), $(object "$plain") and their lists of packages, and put $url in $catalog"
		return
	fi
	upload_bundle "$sbom" "${plain%.tar.zst}.spdx.json" "${pinned%.tar.zst}.spdx.json"
	upload_bundle "$temporary/bundle" "$plain" "$pinned"
	check_public "$sbom" "${plain%.tar.zst}.spdx.json" "${pinned%.tar.zst}.spdx.json"
	check_public "$temporary/bundle" "$plain" "$pinned"
	patch --arch "$arch" --distro "$(field distro "$packed")" --kernel-ref "$(field kernel_ref "$packed")" \
		--url "$url" --sha256 "$sum" --size "$(field size "$packed")" "${description[@]}"
	next_steps "$catalog" "imagecat: publish $name"
}

# unpublish: the catalog first, so that it never names what is not there. The
# pinned objects stay for the bangers that were built with an older catalog.
unpublish() {
	local plain=$name-$arch
	need rclone
	if $dry_run; then
		say "would take $name for $arch out of $catalog, and remove $(object "$plain.tar.zst") and its list of packages"
		return
	fi
	patch --arch "$arch" --remove
	remove_object "$plain.tar.zst"
	remove_object "$plain.spdx.json"
	next_steps "$catalog" "imagecat: remove $name"
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
