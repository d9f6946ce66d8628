package identity

import "strings"

// ownAddress is what Debian gives a host's own name; it works without a
// network.
const ownAddress = "127.0.1.1"

// hosts returns a hosts(5) file in which name is this machine.
func hosts(old, name string) string {
	var out strings.Builder
	hasLocalhost := false
	for line := range strings.Lines(old) {
		fields := strings.Fields(line)
		if len(fields) > 0 && fields[0] == ownAddress {
			continue // an image's name for itself
		}
		hasLocalhost = hasLocalhost || len(fields) > 0 && fields[0] == "127.0.0.1"
		out.WriteString(strings.TrimSuffix(line, "\n") + "\n")
	}
	if !hasLocalhost {
		out.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
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
