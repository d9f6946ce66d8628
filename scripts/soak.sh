#!/usr/bin/env bash
# Kills, cuts the power, fills disks and races for a time such as 30m, on the
# kernel and the image of the tests: soak.sh BANGER TIME [FLAG...]
# The flags are test/soak's: -seed and -only repeat what a run found.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

cd "$(dirname "$0")/.."
banger=${1:?which banger is to be used?} time=${2:?for how long, such as 30m?}
scripts/go.sh build -o build/bin/soak ./test/soak
exec build/bin/soak -banger "$banger" -time "$time" "${@:3}"
