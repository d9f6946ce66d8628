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
	local out=$log/${1//\//-}-$2
	if scripts/go.sh test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1x -parallel 1 "$1" >"$out" 2>&1 || timed_out "$out"; then
		echo "$1 $2: $(grep -o 'execs: [0-9]*' "$out" | tail -1)"
	else
		cat "$out"
		return 1
	fi
}

# timed_out FILE: whether go test calls it a failure that the time was over while
# an input was being tried, which happens where one takes long. An input that
# fails is written down and named.
timed_out() {
	grep -qx '    context deadline exceeded' "$1" && ! grep -q 'Failing input' "$1"
}
export -f fuzz timed_out
export time log

# shellcheck disable=SC2016 # the inner bash expands it
grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' "${@:-internal}" |
	sed -E 's#^(.*)/[^/]*:func (.*)#./\1 \2#' |
	xargs -P "$(nproc)" -L 1 bash -euc 'fuzz "$1" "$2"' fuzz
