#!/bin/sh
# Puts below /fetched what the image takes from elsewhere than Debian, checked:
# keys by their fingerprints, binaries by their digests.
set -eu
export DEBIAN_FRONTEND=noninteractive

mkdir -p /fetched
[ "$WITH_DOCKER_CE$WITH_MISE" != 00 ] || exit 0

if [ -n "$APT_MIRROR" ]; then
	rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
	echo "deb $APT_MIRROR/debian bookworm main" >/etc/apt/sources.list
fi
apt-get update -q
apt-get install -q -y --no-install-recommends ca-certificates curl gpg

# key URL FINGERPRINT FILE: fetches an apt key, and wants that one and no other.
key() {
	curl -fsSL --retry 3 "$1" -o /tmp/key
	got=$(gpg --batch --with-colons --show-keys /tmp/key | awk -F: '$1 == "pub" { pub = 1 } $1 == "fpr" && pub { print $10; pub = 0 }')
	if [ "$got" != "$2" ]; then
		echo "the key of $1 is \"$got\", not $2" >&2
		exit 1
	fi
	mkdir -p "$(dirname "$3")"
	gpg --batch --dearmor </tmp/key >"$3"
}

if [ "$WITH_DOCKER_CE" = 1 ]; then
	key https://download.docker.com/linux/debian/gpg "$DOCKER_KEY" /fetched/etc/apt/keyrings/docker.gpg
	mkdir -p /fetched/etc/apt/sources.list.d
	cat >/fetched/etc/apt/sources.list.d/docker.sources <<-END
		Types: deb
		URIs: https://download.docker.com/linux/debian
		Suites: bookworm
		Components: stable
		Signed-By: /etc/apt/keyrings/docker.gpg
	END
fi

if [ "$WITH_MISE" = 1 ]; then
	apt-get install -q -y --no-install-recommends npm
	npm pack --pack-destination /tmp "@jdxcode/mise-linux-x64@$MISE_VERSION"
	archive=/tmp/jdxcode-mise-linux-x64-$MISE_VERSION.tgz
	echo "$MISE_SHA256  $archive" | sha256sum -c -
	mkdir -p /fetched/usr/local/bin /fetched/etc/profile.d
	tar -xzf "$archive" -C /fetched/usr/local/bin --strip-components=2 --no-same-owner package/bin/mise
	# shellcheck disable=SC2016 # for the shells of the image
	echo '[ -z "$BASH_VERSION" ] || eval "$(mise activate bash)"' >/fetched/etc/profile.d/mise.sh
fi
