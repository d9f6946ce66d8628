#!/usr/bin/env bash
# The main job on this machine: a command in a microVM. The first time a kernel
# and an image are made; they stay, where banger looks for them.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

banger=${1:?which banger is to be used?}

step() { printf '\n\033[1m$ banger %s\033[0m\n' "$*"; "$banger" "$@"; }

# shellcheck disable=SC2016 # the guest's shell expands it
step vm run --yes --rm -- sh -c 'echo "hello from $(uname -sr) on $(hostname)"; exit 7' && status=0 || status=$?
echo "exit status: $status"
if [[ $status -ne 7 ]]; then
	echo "banger: the command's exit status, 7, did not come back" >&2
	exit 1
fi
step kernel list
step image list
echo
echo "Now you: $banger vm run"
