package agentapi

import (
	"encoding/json"
	"reflect"
	"testing"
)

// A program gets the bytes that it was to get; what is UTF-8 is written as ever.
func TestExecOfAnyBytes(t *testing.T) {
	for _, e := range []ExecStream{
		{},
		{User: "me", Exec: Exec{Argv: []string{"cat", "caf\xe9", "", "ü", "{}"}, Dir: "/caf\xe9", Env: []string{"A=\xff", "B="}, First: true, MakeDir: true, WaitInit: true}},
		{Exec: Exec{Line: "ls caf\xe9*"}},
	} {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var got ExecStream
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	text, err := json.Marshal(ExecStream{User: "me", Exec: Exec{Argv: []string{"ls", "ü"}, Dir: "/", First: true}})
	if want := `{"user":"me","first":true,"argv":["ls","ü"],"dir":"/"}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}

// So does what else names a file.
func TestPathsOfAnyBytes(t *testing.T) {
	const odd = "/caf\xe9"
	for _, request := range []any{
		&PackStream{User: "me", Path: odd, Follow: true},
		&UnpackStream{User: "me", Path: odd, Name: "\xff", Into: true},
		&ListStream{User: "me", Path: odd},
		&UntarStream{User: "me", Untar: Untar{Dir: odd}},
		&SyncStream{User: "me", Dir: odd, Skip: Raws([]string{"\xfe", "plain"})},
	} {
		text, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		got := reflect.New(reflect.TypeOf(request).Elem()).Interface()
		if err := json.Unmarshal(text, got); err != nil || !reflect.DeepEqual(got, request) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	text, err := json.Marshal(ListStream{User: "me", Path: "ü"})
	if want := `{"user":"me","path":"ü"}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}
