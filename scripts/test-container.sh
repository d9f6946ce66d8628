#!/usr/bin/env bash
# Builds banger's container image, one of it with an image for VMs, and boots a
# guest in that with no privilege at all; rootless, where an ordinary user calls it.
# CONTAINER_TOOL is podman or docker; BASE_IMAGE is in place of the Dockerfile's;
# BUILD_FLAGS and RUN_FLAGS are for hosts that need more.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

banger=$(realpath "${1:?which banger is to be used?}")
root=$(cd "$(dirname "$0")/.." && pwd)
tool=${CONTAINER_TOOL:-podman}
read -ra build <<<"${BUILD_FLAGS:-}"
read -ra run <<<"${RUN_FLAGS:-}"
[[ -z ${BASE_IMAGE:-} ]] || build+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$banger" "$context/banger"
cp "$root/build/test/debian.tar" "$context"
chmod a+rX "$context" "$context"/*
cat >"$context/Sandbox" <<'EOF'
FROM localhost/banger-test
COPY debian.tar /tmp/
RUN banger image pull tar:/tmp/debian.tar --name debian
ENV BANGER_IMAGE=debian
EOF
"$tool" build "${build[@]}" -t localhost/banger-test -f "$root/images/banger/Dockerfile" "$context"
"$tool" build "${build[@]}" -t localhost/banger-test-sandbox -f "$context/Sandbox" "$context"

run+=(--rm --network=none --cap-drop=all --security-opt=no-new-privileges)
if [[ -w /dev/kvm ]]; then
	run+=(--device /dev/kvm)
	[[ $tool != podman ]] || run+=(--group-add keep-groups)
fi
in_guest() { "$tool" run "${run[@]}" localhost/banger-test-sandbox vm run --rm --foreground --cpus 1 -- "$@"; }

kernel=$(in_guest uname -r)
[[ -n $kernel && $kernel != "$(uname -r)" ]] || die "the guest says it runs Linux $kernel"
status=0
in_guest sh -c 'exit 7' || status=$?
[[ $status -eq 7 ]] || die "the exit status is $status, want 7"
echo "a guest with Linux $kernel ran in a container without privileges"
