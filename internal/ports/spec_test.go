package ports

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"8080":                       "127.0.0.1:8080:8080/tcp",
		"5000:80":                    "127.0.0.1:5000:80/tcp",
		"53:53/udp":                  "127.0.0.1:53:53/udp",
		"127.0.0.2:53:53/UDP":        "127.0.0.2:53:53/udp",
		"127.0.0.2:8080":             "127.0.0.2:8080:8080/tcp",
		"0.0.0.0:80:8080/tcp":        "0.0.0.0:80:8080/tcp",
		"127.0.0.1::80":              "127.0.0.1:0:80/tcp",
		"0:80":                       "127.0.0.1:0:80/tcp",
		":80":                        "127.0.0.1:0:80/tcp",
		"[::1]:5000:80":              "[::1]:5000:80/tcp",
		"[::1]:80":                   "[::1]:80:80/tcp",
		"[::1]::80":                  "[::1]:0:80/tcp",
		"8000-8002":                  "127.0.0.1:8000:8000/tcp 127.0.0.1:8001:8001/tcp 127.0.0.1:8002:8002/tcp",
		"9000-9001:80-81":            "127.0.0.1:9000:80/tcp 127.0.0.1:9001:81/tcp",
		"0:80-81":                    "127.0.0.1:0:80/tcp 127.0.0.1:0:81/tcp",
		"65535":                      "127.0.0.1:65535:65535/tcp",
		"[::ffff:127.0.0.1]:1:2/udp": "127.0.0.1:1:2/udp",
	} {
		specs, err := Parse(text)
		var got []string
		for _, s := range specs {
			got = append(got, s.String())
		}
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ":", "0", "80:0", "65536", "80/sctp", "80/", "a", "-1", "80-", "81-80", "1-1000", "8000-8001:80", "80:81:82",
		"host:80:80", "::1:80:80", "[::1]", "[::1]80", "[1.2.3:80:80", "1.2.3.4:5:6:7", "127.0.0.1:80:", "+80", " 80", "0-5",
	} {
		if specs, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v", text, specs)
		}
	}
}

func TestCheck(t *testing.T) {
	for texts, good := range map[string]bool{
		"": true, "80": true, "80 81": true, "80 80/udp": true, "80 127.0.0.2:80": true, "0:80 0:80": true, "80 [::1]:80": true,
		"80 80": false, "80:1 80:2": false, "80-82 81": false, "127.0.0.1:80:80 [::ffff:127.0.0.1]:80:80": false,
	} {
		var specs []Spec
		for text := range strings.FieldsSeq(texts) {
			more, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			specs = append(specs, more...)
		}
		if err := Check(specs); good != (err == nil) {
			t.Errorf("%q: %v", texts, err)
		}
	}
}
