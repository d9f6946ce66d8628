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
