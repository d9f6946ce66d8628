#!/usr/bin/env bash
# Runs a Go that is new enough for this project: the one on PATH where it can
# fetch newer toolchains itself (1.21 and up), else one that an older Go, such
# as Debian 12's, fetches as a module, checked against Go's checksum database.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

root=$(cd "$(dirname "$0")/.." && pwd)
wanted=$(awk '$1 == "go" {print $2}' "$root/go.mod")

# minor GO: prints the 21 of "go1.21.3"
minor() { "$1" version 2>/dev/null | sed -nE 's/^go version go1\.([0-9]+).*/\1/p'; }

fetched_go() {
	local goroot=$root/build/go-$wanted
	if [[ ! -x $goroot/bin/go ]]; then
		local module=golang.org/toolchain@v0.0.1-go$wanted.linux-amd64 dir
		dir=$(cd / && go mod download -json "$module" | sed -nE 's/^\t"Dir": "(.*)",$/\1/p')
		mkdir -p "$root/build"
		rm -rf "$goroot.new"
		cp -r --no-preserve=mode "$dir" "$goroot.new"
		chmod +x "$goroot.new"/bin/* "$goroot.new"/pkg/tool/*/*
		mv "$goroot.new" "$goroot"
	fi
	echo "$goroot/bin/go"
}

have=$(minor go || true)
if [[ ${have:-0} -ge 21 ]]; then
	exec go "$@"
fi
if [[ -z $have ]]; then
	echo "banger: no Go is installed: run make demo or make test, which install it" >&2
	exit 1
fi
go=$(fetched_go)
GOTOOLCHAIN=local exec "$go" "$@"
