package identity

import "banger/internal/agentapi"

// The files that Apply edits, relative to the root: those whose content is the
// VM's alone, and those of which it changes a part.
var (
	replaced = map[string]bool{
		"etc/hostname": true, "etc/resolv.conf": true, "etc/machine-id": true, "var/lib/dbus/machine-id": true,
	}
	edited = map[string]func(old string, s agentapi.Settings) string{
		"etc/hosts": func(old string, s agentapi.Settings) string { return hosts(old, s.Hostname, s.Networks) },
		"etc/fstab": func(old string, _ agentapi.Settings) string { return fstab(old) },
	}
)

// IsOwn reports whether a file is of the VM and not of its image, although it
// lies in the image's tree: one that Apply wrote, or edited when the image's
// content was old and nobody has since.
func IsOwn(name, old, now string, s agentapi.Settings) bool {
	if edit := edited[name]; edit != nil {
		return edit(old, s) == now
	}
	return replaced[name]
}

// Concerns reports whether IsOwn needs to be asked about the file name.
func Concerns(name string) bool { return replaced[name] || edited[name] != nil }
