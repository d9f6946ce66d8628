#!/usr/bin/env bash
# The golden image from its beginning to its use, where only Debian's archive can
# be reached: a base by mmdebstrap, the Dockerfile, a bundle, a publishing to a
# directory, a catalog, a pull by another user, and Docker in the guest.
#
#   scripts/test-golden.sh [KERNEL]    a directory with a vmlinux; the kernel of
#                                      the test fixtures
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
export PATH=$PATH:/usr/sbin:/sbin BANGER=$root/build/bin/banger
unset XDG_STATE_HOME XDG_CACHE_HOME XDG_CONFIG_HOME BANGER_KERNELS_DIR BANGER_KERNEL BANGER_IMAGE
image=debian-bookworm kernel=debian
fixture=${BANGER_TEST_HOME:-$root/build/test/home}/.local/state/banger/kernels/debian

work=$(mktemp -d "${TMPDIR:-/var/tmp}/banger-golden.XXXXXX")
end() {
	as user vm rm --force golden >/dev/null 2>&1 || true
	if [[ -n ${server:-} ]]; then kill "$server"; fi
	if [[ -n ${base:-} ]]; then "$tool" rmi "$base" >/dev/null; fi
	rm -rf "$work"
}
trap end EXIT

say() { printf '%5d s  %s\n' "$SECONDS" "$*"; }
die() {
	echo "test-golden: $*" >&2
	exit 1
}

# as maintainer|user ARGUMENT...: runs banger with that one's state.
as() { HOME=$work/$1 "$BANGER" "${@:2}"; }

# give_kernel maintainer|user: puts the kernel where that one has kernels.
give_kernel() {
	if [[ -n $own_kernel ]]; then
		as "$1" kernel import "$kernel" --from "$own_kernel" --distro generic >/dev/null
		return
	fi
	mkdir -p "$work/$1/.local/state/banger/kernels"
	cp -r --link "$fixture" "$work/$1/.local/state/banger/kernels/"
}

# make_base: imports a minimal Debian as a container image, and sets tool, base.
make_base() {
	local container
	base=localhost/banger-golden-base
	mmdebstrap --quiet --variant=minbase bookworm "$work/base.tar"
	for tool in docker podman; do
		if "$tool" version >/dev/null 2>&1; then
			"$tool" import "$work/base.tar" "$base" >/dev/null
			return
		fi
	done
	tool=buildah
	# Without a runtime for containers, which are not needed here.
	command -v crun runc >/dev/null || export BUILDAH_ISOLATION=chroot
	container=$(buildah from scratch)
	buildah add --quiet "$container" "$work/base.tar" / >/dev/null
	buildah commit --quiet "$container" "$base" >/dev/null
	buildah rm "$container" >/dev/null
}

# publish: to a directory that a web server of this machine serves.
publish() {
	local port=$((20000 + RANDOM % 10000))
	mkdir "$work/bucket"
	cp "$root/internal/imagecat/catalog.json" "$work/catalog.json"
	rclone serve http "$work/bucket" --addr "127.0.0.1:$port" --dir-cache-time 0s >"$work/server.log" 2>&1 &
	server=$!
	curl --silent --noproxy '*' --retry 10 --retry-connrefused --retry-delay 1 --output /dev/null "http://127.0.0.1:$port/" ||
		die "no web server: $(cat "$work/server.log")"
	HOME=$work/maintainer KERNEL_REF=$kernel CATALOG=$work/catalog.json no_proxy='*' \
		RCLONE_CONFIG=$work/rclone.conf RCLONE_REMOTE=store RCLONE_CONFIG_STORE_TYPE=local \
		RCLONE_BUCKET=$work/bucket BASE_URL=http://127.0.0.1:$port \
		"$root/scripts/publish-golden-image.sh" "$image" --description "a test" \
		--build-arg "BASE_IMAGE=$base" --build-arg WITH_DOCKER_CE=0 --build-arg WITH_MISE=0 >"$work/publish.log" 2>&1 ||
		die "publishing failed: $(tail -20 "$work/publish.log")"
	jq -e '.packages | map(.name) | index("docker.io")' "$work/bucket/$image-x86_64.spdx.json" >/dev/null ||
		die "docker.io is not in the list of packages"
}

# docker_in_guest runs a container of an image that is made there.
docker_in_guest() {
	as user vm exec --wait-init golden -- sh -c '
		set -e
		docker image inspect local/busybox >/dev/null 2>&1 || {
			mkdir -p /tmp/r/bin
			cp /root/guest/busybox /tmp/r/bin/sh
			tar -C /tmp/r -c . | docker import - local/busybox >/dev/null
		}
		docker run --rm local/busybox /bin/sh -c "echo from a container"'
}

own_kernel=${1:-}
[[ -z $own_kernel ]] || kernel=$(basename "$own_kernel")
mkdir -p "$work/maintainer" "$work/user"
give_kernel maintainer
give_kernel user
say "the base, by mmdebstrap"
make_base
say "the Dockerfile by $tool, the bundle, the publishing"
publish
say "the pull"
BANGER_IMAGE_CATALOG=$work/catalog.json as user image pull "$image" >/dev/null
say "the boot, with $kernel"
mkdir "$work/guest"
cp /bin/busybox "$work/guest/"
state=$(as user --quiet vm run --name golden --image "$image" --wait-init "$work/guest" -- systemctl is-system-running --wait) || true
[[ $state == running ]] || die "the guest is $state: $(as user vm exec golden -- systemctl --failed --no-pager)"
say "docker run"
[[ $(docker_in_guest) == "from a container" ]] || die "docker run does not work"
say "docker run after a restart"
as user vm stop golden
as user --quiet vm start golden
[[ $(docker_in_guest) == "from a container" ]] || die "docker run does not work after a restart"
say "the golden image works"
