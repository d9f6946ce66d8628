#!/usr/bin/env bash
# Builds the generic kernel twice, in directories whose names differ in length,
# and fails unless both are the same bytes. Takes twice as long as one build;
# the environment is make-generic-kernel.sh's.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
kernel=$("$root/scripts/make-generic-kernel.sh" --name)
twice=$root/build/kernel-twice
rm -rf "$twice"
trap 'rm -rf "$twice"' EXIT

build() { WORK=$twice/$1/work OUT=$twice/$1/out "$root/scripts/make-generic-kernel.sh"; }

# only DIRECTORY: prints the one kernel in it: KERNEL_TARBALL's line may differ
# from the pinned one.
only() { find "$1/out" -mindepth 1 -maxdepth 1 -type d -printf '%p\n'; }

build a
if [[ -z ${KERNEL_TARBALL:-} ]]; then
	mkdir -p "$twice/elsewhere/work"
	cp -r "$twice/a/work/download" "$twice/elsewhere/work/"
fi
build "elsewhere"
first=$(only "$twice/a") second=$(only "$twice/elsewhere")
for file in vmlinux config; do
	cmp "$first/$file" "$second/$file"
done
echo "$kernel: two builds are the same bytes"
