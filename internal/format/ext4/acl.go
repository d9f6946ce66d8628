package ext4

import (
	"encoding/binary"
	"errors"
)

// Versions of a POSIX access control list: as programs see it, which is what a
// tar holds, and as ext4 stores it. See include/uapi/linux/posix_acl_xattr.h
// and fs/ext4/acl.h of Linux. In the latter only entries for a named user or
// group have an id.
const (
	aclVersion       = 2
	aclStoredVersion = 1
	aclUser          = 0x02
	aclGroup         = 0x08
)

// storedACL converts a list from the one form into the other.
func storedACL(value []byte) ([]byte, error) {
	const header, entry = 4, 8
	le := binary.LittleEndian
	if len(value) < header || le.Uint32(value) != aclVersion || (len(value)-header)%entry != 0 {
		return nil, errors.New("which is damaged")
	}
	stored := le.AppendUint32(nil, aclStoredVersion)
	for rest := value[header:]; len(rest) > 0; rest = rest[entry:] {
		tag := le.Uint16(rest)
		stored = append(stored, rest[:4]...)
		if tag == aclUser || tag == aclGroup {
			stored = append(stored, rest[4:8]...)
		}
	}
	return stored, nil
}
