package registry

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseChallenges(t *testing.T) {
	for text, want := range map[string]string{
		`Bearer realm="https://a/t?x=1,2",service="s",scope="repository:r:pull,push"`: `[{bearer map[realm:https://a/t?x=1,2 scope:repository:r:pull,push service:s]}]`,
		`bearer Realm = "a" , Service="b"`:                                            `[{bearer map[realm:a service:b]}]`,
		`Bearer realm=https://a/t,service=s`:                                          `[{bearer map[realm:https://a/t service:s]}]`,
		`Basic realm="a, \"b\"", Bearer realm="c"`:                                    `[{basic map[realm:a, "b"]} {bearer map[realm:c]}]`,
		"Negotiate\nNTLM\nBasic":                                                      `[{negotiate map[]} {ntlm map[]} {basic map[]}]`,
		`Negotiate YWJj==, Basic realm="x"`:                                           `[{negotiate map[ywjj:=]} {basic map[realm:x]}]`,
		`Bearer realm="a`:                                                             `[{bearer map[realm:a]}]`,
		`="x"`:                                                                        `[]`,
		``:                                                                            `[]`,
		`"quoted"`:                                                                    `[]`,
		`, ,Basic,`:                                                                   `[{basic map[]}]`,
	} {
		if got := fmt.Sprint(parseChallenges(strings.Split(text, "\n"))); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzParseChallenges(f *testing.F) {
	for _, text := range []string{`Bearer realm="a",service=b`, `Basic`, `a b="c`, `a="\`, ",,="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range parseChallenges([]string{text, text}) {
			if c.scheme == "" || c.scheme != strings.ToLower(c.scheme) {
				t.Errorf("scheme %q", c.scheme)
			}
		}
	})
}
