package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"github.com/BurntSushi/toml"

	"banger/internal/pattern"
)

const tomlSection = "mcp_servers"

// anyTable is a line that begins a table.
var anyTable = pattern.New(`(?m)^[ \t]*\[`)

// putTOML puts a server into a TOML file, or takes it out. What the user wrote
// stays as it is, comments too: a file that is laid out in a way that this does not
// know is left alone.
func putTOML(text []byte, name string, s *server) ([]byte, error) {
	had, err := decodeTOML(text)
	if err != nil {
		return nil, err
	}
	want, err := decodeTOML(text)
	if err != nil {
		return nil, err
	}
	servers, _ := want[tomlSection].(map[string]any)
	if s == nil && servers[name] == nil {
		return text, nil
	}
	after := cutTable(text, name)
	delete(servers, name)
	if s != nil {
		var encoded bytes.Buffer
		e := toml.NewEncoder(&encoded)
		e.Indent = ""
		if err := e.Encode(map[string]map[string]*server{tomlSection: {name: s}}); err != nil {
			return nil, err
		}
		section := encoded.Bytes()
		section = bytes.TrimPrefix(section, []byte("["+tomlSection+"]\n"))
		if after = bytes.TrimRight(after, "\n"); len(after) > 0 {
			after = append(after, "\n\n"...)
		}
		after = append(after, bytes.TrimLeft(section, "\n")...)
		var added map[string]any
		if _, err := toml.Decode(encoded.String(), &added); err != nil {
			return nil, err
		}
		if servers == nil {
			servers = map[string]any{}
			want[tomlSection] = servers
		}
		servers[name] = added[tomlSection].(map[string]any)[name]
	}
	if reflect.DeepEqual(had, want) {
		return text, nil
	}
	got, err := decodeTOML(after)
	if err != nil || !reflect.DeepEqual(withoutEmpty(got), withoutEmpty(want)) {
		return nil, errors.New("it is laid out in a way that banger does not know how to change: edit it by hand")
	}
	return after, nil
}

func decodeTOML(text []byte) (map[string]any, error) {
	all := map[string]any{}
	_, err := toml.Decode(string(text), &all)
	return all, err
}

// withoutEmpty takes no servers for as good as an empty table of them.
func withoutEmpty(all map[string]any) map[string]any {
	if servers, ok := all[tomlSection].(map[string]any); ok && len(servers) == 0 {
		delete(all, tomlSection)
	}
	return all
}

// cutTable takes out a server's table, and those below it.
func cutTable(text []byte, name string) []byte {
	quoted := regexp.QuoteMeta(name)
	ours := regexp.MustCompile(fmt.Sprintf(`^[ \t]*\[[ \t]*%s[ \t]*\.[ \t]*(%s|"%s"|'%s')[ \t]*[].]`, tomlSection, quoted, quoted, quoted))
	starts := append(anyTable().FindAllIndex(text, -1), []int{len(text)})
	var kept []byte
	kept = append(kept, text[:starts[0][0]]...)
	for i, start := range starts[:len(starts)-1] {
		if part := text[start[0]:starts[i+1][0]]; !ours.Match(part) {
			kept = append(kept, part...)
		}
	}
	return kept
}
