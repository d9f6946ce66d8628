package dm

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEncode(t *testing.T) {
	disk := Device{Number: "254:16"}
	o := order{name: "root", flags: unix.DM_READONLY_FLAG, table: []Target{Snapshot(Device{"254:0", 800}, disk, 8), Linear(800, 99, disk, 1000)}}
	data, err := o.encode()
	if err != nil {
		t.Fatal(err)
	}
	var h unix.DmIoctl
	if _, err := binary.Decode(data, binary.NativeEndian, &h); err != nil {
		t.Fatal(err)
	}
	if h.Version != [3]uint32{4} || int(h.Data_size) != len(data) || h.Data_start != headerSize || h.Target_count != 2 || h.Flags != unix.DM_READONLY_FLAG {
		t.Errorf("the header is %+v", h)
	}
	at := int(h.Data_start)
	for _, want := range o.table {
		var spec unix.DmTargetSpec
		if _, err := binary.Decode(data[at:], binary.NativeEndian, &spec); err != nil {
			t.Fatal(err)
		}
		params, _, ended := strings.Cut(string(data[at+targetSize:at+int(spec.Next)]), "\x00")
		got := Target{spec.Sector_start, spec.Length, unix.ByteSliceToString(spec.Target_type[:]), params}
		if got != want || !ended || spec.Next%8 != 0 {
			t.Errorf("got %+v, %v, next at %d, want %+v", got, ended, spec.Next, want)
		}
		at += int(spec.Next)
	}
	if at != len(data) {
		t.Errorf("%d of %d bytes are targets", at, len(data))
	}
}

func TestEncodeRefuses(t *testing.T) {
	for what, o := range map[string]order{
		"a long name":   {name: strings.Repeat("n", 128)},
		"a long target": {table: []Target{{Type: "sixteen letters!"}}},
	} {
		if _, err := o.encode(); err == nil {
			t.Errorf("%s is encoded", what)
		}
	}
}

func TestParseTargets(t *testing.T) {
	entry := func(next uint32, name string) []byte {
		e := make([]byte, 16, 40)
		binary.NativeEndian.PutUint32(e, next)
		return append(e, name...)
	}
	whole := slices.Concat(entry(24, "linear\x00\x00"), entry(0, "error\x00"))
	if got, err := parseTargets(whole); err != nil || !slices.Equal(got, []string{"linear", "error"}) {
		t.Errorf("got %q, %v", got, err)
	}
	for what, list := range map[string][]byte{"a name without an end": entry(0, "linear"), "a next one outside": entry(1000, "linear\x00")} {
		if got, err := parseTargets(list); err == nil {
			t.Errorf("%s: got %q", what, got)
		}
	}
}
