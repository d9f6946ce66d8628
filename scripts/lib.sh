# shellcheck shell=bash
# What all scripts have in common; each sources it first. A script ends at the
# first command that fails, and never without a word: it names the command.
set -Eeuo pipefail
trap 'say "${BASH_SOURCE[0]}, line $LINENO: status $? of: $BASH_COMMAND"' ERR

say() { printf 'banger: %s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}

# built_kernel: prints where make kernel has left the newest generic kernel, or
# nothing.
built_kernel() { compgen -G 'build/manual/generic-*' | sort -V | tail -1 || true; }
