package identity

import (
	"strings"

	"banger/internal/agentapi"
)

// ownAddress is what Debian gives a host's own name; it works without a
// network.
const ownAddress = "127.0.1.1"

// ownLine ends the line of a machine's own name that has an address in a network.
const ownLine = "# this machine, by banger"

// hosts returns a hosts(5) file in which name is this machine: at its address in
// its first network, by which others reach it too, where it is on one.
func hosts(old, name string, networks []string) string {
	var out strings.Builder
	hasLocalhost := false
	for line := range strings.Lines(old) {
		fields := strings.Fields(line)
		if len(fields) > 0 && fields[0] == ownAddress || strings.HasSuffix(strings.TrimSpace(line), ownLine) {
			continue // an image's name for itself
		}
		hasLocalhost = hasLocalhost || len(fields) > 0 && fields[0] == "127.0.0.1"
		out.WriteString(strings.TrimSuffix(line, "\n") + "\n")
	}
	if !hasLocalhost {
		out.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	}
	if len(networks) > 0 {
		address, _, _ := strings.Cut(networks[0], "/")
		out.WriteString(address + "\t" + name + "." + agentapi.Zone + " " + name + "\t" + ownLine + "\n")
		return out.String()
	}
	out.WriteString(ownAddress + "\t" + name + "\n")
	return out.String()
}

// fstab returns a fstab(5) file without the lines for disks: they describe the
// machine that the image was made on, and an init waits for its devices.
func fstab(old string) string {
	var out strings.Builder
	for line := range strings.Lines(old) {
		fields := strings.Fields(line)
		if len(fields) >= 3 && !strings.HasPrefix(fields[0], "#") && ofDisk(fields[0], fields[1], fields[2]) {
			out.WriteString("# not in this VM: ")
		}
		out.WriteString(line)
	}
	return out.String()
}

func ofDisk(source, target, fstype string) bool {
	for _, prefix := range []string{"/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID="} {
		if strings.HasPrefix(strings.Trim(source, `"`), prefix) {
			return true
		}
	}
	return target == "/" || target == "/boot" || strings.HasPrefix(target, "/boot/") || fstype == "swap"
}
