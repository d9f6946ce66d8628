#!/usr/bin/env bash
# Gets what the tests boot into build/test: Debian's kernel and a Debian image,
# in a home directory of their own. Quick the second time.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

banger=$(realpath "${1:?which banger is to be used?}")
root=$(cd "$(dirname "$0")/.." && pwd)
export HOME=$root/build/test/home
unset XDG_STATE_HOME XDG_CACHE_HOME XDG_CONFIG_HOME BANGER_KERNELS_DIR BANGER_KERNEL BANGER_IMAGE
mkdir -p "$HOME"

# One that was pulled before the root was a snapshot lacks a module to boot with.
boot=$HOME/.local/state/banger/kernels/debian/modules/modules.boot
if [[ -f $boot ]] && ! grep -q dm-snapshot "$boot"; then
	"$banger" kernel rm --force debian
fi
if ! "$banger" kernel show debian >/dev/null 2>&1; then
	"$banger" kernel pull apt:linux-image-cloud-amd64 --name debian
fi
tar=$root/build/test/debian.tar
if [[ ! -f $tar ]]; then
	mmdebstrap --quiet --variant=minbase \
		--include=systemd-sysv,udev,dbus,iproute2,kmod,procps bookworm "${tar%.tar}.new.tar"
	mv "${tar%.tar}.new.tar" "$tar"
fi
if ! "$banger" image show debian >/dev/null 2>&1; then
	"$banger" image pull "tar:$tar" --name debian --kernel-ref debian
fi
apps=$root/build/test/apps.tar
if [[ ! -f $apps ]]; then # nothing but those and what they need, not even an init
	# shellcheck disable=SC2016 # $1 is the hook's
	mmdebstrap --quiet --variant=extract --include=redis-server,git,ca-certificates,dash,coreutils,grep \
		--extract-hook='cat "$1"/usr/share/ca-certificates/mozilla/*.crt >"$1/etc/ssl/certs/ca-certificates.crt"' \
		bookworm "${apps%.tar}.new.tar"
	mv "${apps%.tar}.new.tar" "$apps"
fi
