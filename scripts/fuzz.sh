#!/usr/bin/env bash
# Runs every fuzz target below the directories given, internal if none, for the
# time given, such as 60s. As many run at once as there are CPUs.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

cd "$(dirname "$0")/.."
time=${1:?for how long, such as 60s?}
shift
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

# fuzz PACKAGE TARGET: prints its last lines, and its failure in full.
fuzz() {
	if scripts/go.sh test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1x -parallel 1 "$1" >"$log/${1//\//-}-$2" 2>&1; then
		echo "$1 $2: $(grep -o 'execs: [0-9]*' "$log/${1//\//-}-$2" | tail -1)"
	else
		cat "$log/${1//\//-}-$2"
		return 1
	fi
}
export -f fuzz
export time log

# shellcheck disable=SC2016 # the inner bash expands it
grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' "${@:-internal}" |
	sed -E 's#^(.*)/[^/]*:func (.*)#./\1 \2#' |
	xargs -P "$(nproc)" -L 1 bash -euc 'fuzz "$1" "$2"' fuzz
