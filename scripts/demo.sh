#!/usr/bin/env bash
# The main job on this machine: a kernel, an image, a microVM and a command in
# it. Kernel and image stay, in the places where banger looks for them.
set -euo pipefail

banger=$1
kernel=debian-6.1
image=debian-bookworm

step() { printf '\n\033[1m$ banger %s\033[0m\n' "$*"; "$banger" "$@"; }

if ! "$banger" kernel show "$kernel" >/dev/null 2>&1; then
	step kernel pull apt:linux-image-cloud-amd64 --name "$kernel"
fi
if ! "$banger" image show "$image" >/dev/null 2>&1; then
	step image pull mmdebstrap:bookworm --name "$image" --kernel-ref "$kernel"
fi
step kernel list
step image list
# shellcheck disable=SC2016 # the guest's shell expands it
step vm run --rm --image "$image" -- sh -c 'echo "hello from $(uname -sr) on $(hostname)"; exit 7' && status=0 || status=$?
echo "exit status: $status"
if [[ $status -ne 7 ]]; then
	echo "banger: the command's exit status, 7, did not come back" >&2
	exit 1
fi
echo
echo "Now you: $banger vm run"
