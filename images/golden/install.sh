#!/bin/sh
# Makes the golden image of its base, in the Dockerfile's last stage.
set -eu
export DEBIAN_FRONTEND=noninteractive

# mirror: takes Debian's packages from APT_MIRROR, until unmirror.
mirror() {
	mkdir /golden/sources
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
		[ ! -e "$file" ] || mv "$file" /golden/sources/
	done
	cat >/etc/apt/sources.list.d/mirror.sources <<-END
		Types: deb
		URIs: $APT_MIRROR/debian
		Suites: bookworm bookworm-updates
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

		Types: deb
		URIs: $APT_MIRROR/debian-security
		Suites: bookworm-security
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
}

# unmirror: the base's own sources are the image's.
unmirror() {
	rm /etc/apt/sources.list.d/mirror.sources
	[ ! -e /golden/sources/sources.list ] || mv /golden/sources/sources.list /etc/apt/
	[ ! -e /golden/sources/debian.sources ] || mv /golden/sources/debian.sources /etc/apt/sources.list.d/
}

# No service starts while packages are installed; in the image they may.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

[ -z "$APT_MIRROR" ] || mirror
install() { apt-get install -q -y --no-install-recommends "$@"; }

if [ "$WITH_DOCKER_CE" = 1 ]; then
	docker="docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin"
	mv /etc/apt/sources.list.d/docker.sources /golden/ # apt cannot do https yet
	apt-get update -q
	install ca-certificates
	mv /golden/docker.sources /etc/apt/sources.list.d/
else
	docker="docker.io docker-compose"
fi
apt-get update -q
apt-get -q -y upgrade
# shellcheck disable=SC2046,SC2086 # words
install $(sed 's/#.*//; s/ .*//; /^$/d' /golden/packages) $docker

# What a sandbox does not need, or needs only once it is asked for: the first
# docker command starts Docker, by its socket.
mkdir -p /etc/systemd/system-preset
mv /golden/golden.preset /etc/systemd/system-preset/00-golden.preset
systemctl preset-all >/dev/null 2>&1
rm /etc/systemd/system-preset/00-golden.preset # what is installed later is the user's
systemctl set-default multi-user.target
# No keyboard and no screen; modules are loaded by those who need them; the
# random seed comes from the host.
systemctl mask getty@tty1.service console-getty.service e2scrub_reap.service systemd-pstore.service \
	systemd-rfkill.socket systemd-binfmt.service systemd-random-seed.service \
	dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
	sys-fs-fuse-connections.mount modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service \
	modprobe@fuse.service modprobe@loop.service

# Root comes in by banger and has no password.
passwd -l root >/dev/null
ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime
echo LANG=C.UTF-8 >/etc/default/locale

# What belongs to a machine and not to an image, and what only fills it.
[ -z "$APT_MIRROR" ] || unmirror
rm -f /usr/sbin/policy-rc.d /etc/ssh/ssh_host_* /var/lib/dbus/machine-id /var/lib/systemd/random-seed
: >/etc/machine-id
: >/etc/fstab
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
	/var/lib/docker /var/lib/containerd /var/log/journal /tmp/* /var/tmp/*
find /var/log -type f -delete
