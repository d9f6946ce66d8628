package tarfile

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// lists are the PAX records of access control lists as text, which star, GNU tar
// and bsdtar write, and those of the attributes that Linux has them in.
var lists = map[string]string{
	"SCHILY.acl.access":  xattrPrefix + "system.posix_acl_access",
	"SCHILY.acl.default": xattrPrefix + "system.posix_acl_default",
}

// Kinds of a list's entries, as include/uapi/linux/posix_acl.h of Linux has them.
const (
	aclOwner = 1 << iota
	aclUser
	aclOwningGroup
	aclGroup
	aclMask
	aclOther

	aclVersion = 2
	aclNobody  = 1<<32 - 1 // the id of entries that have none
	aclPlain   = aclOwner | aclOwningGroup | aclOther
)

type aclEntry struct {
	kind, may uint16
	id        uint32
}

// textToAttributes puts lists that are text in the place of which attributes
// are, unless those are there too.
func textToAttributes(records map[string]string) {
	for key, attribute := range lists {
		text, found := records[key]
		if !found {
			continue
		}
		delete(records, key)
		if value := listOf(text); value != "" && records[attribute] == "" {
			records[attribute] = value
		}
	}
}

// listOf is a list as Linux has it, or "" for what is none or says no more than a
// file's mode. An entry for somebody who is known by name alone is left out: the
// host's names are not those of the tar.
func listOf(text string) string {
	var entries []aclEntry
	var kinds uint16
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		e, known, ok := aclEntryOf(line)
		if !ok || e.id == aclNobody && kinds&e.kind != 0 {
			return ""
		}
		if known {
			entries = append(entries, e)
			kinds |= e.kind
		}
	}
	if kinds&aclPlain != aclPlain || kinds&(aclUser|aclGroup) != 0 && kinds&aclMask == 0 {
		return ""
	}
	slices.SortFunc(entries, func(a, b aclEntry) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id)) })
	le := binary.LittleEndian
	value := le.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		value = le.AppendUint32(le.AppendUint16(le.AppendUint16(value, e.kind), e.may), e.id)
	}
	return string(value)
}

// aclEntryOf reads KIND:[WHO]:RWX[:ID]. It is not known whose an entry is that
// has a name and no number.
func aclEntryOf(line string) (e aclEntry, known, ok bool) {
	fields := strings.Split(line, ":")
	if len(fields) == 2 && (fields[0] == "mask" || fields[0] == "other") { // as Solaris has them
		fields = []string{fields[0], "", fields[1]}
	}
	if len(fields) < 3 {
		return e, false, false
	}
	who := fields[1]
	switch {
	case fields[0] == "user" && who == "":
		e.kind = aclOwner
	case fields[0] == "user":
		e.kind = aclUser
	case fields[0] == "group" && who == "":
		e.kind = aclOwningGroup
	case fields[0] == "group":
		e.kind = aclGroup
	case fields[0] == "mask":
		e.kind = aclMask
	case fields[0] == "other":
		e.kind = aclOther
	default:
		return e, false, false
	}
	for _, c := range strings.TrimSpace(fields[2]) {
		bit := strings.IndexRune("xwr", c)
		if bit < 0 && c != '-' {
			return e, false, false
		}
		if bit >= 0 {
			e.may |= 1 << bit
		}
	}
	if e.kind != aclUser && e.kind != aclGroup {
		e.id = aclNobody
		return e, true, true
	}
	if len(fields) > 3 {
		who = fields[3]
	}
	id, err := strconv.ParseUint(who, 10, 32)
	e.id = uint32(id)
	return e, err == nil && id != aclNobody, true
}
