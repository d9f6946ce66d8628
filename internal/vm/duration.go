package vm

import (
	"fmt"
	"time"
)

// Duration is a time.Duration that vm.json and flags have as text, such as 1h30m.
type Duration time.Duration

// Set reads a duration, for flags; 0 is none.
func (d *Duration) Set(text string) error {
	value, err := time.ParseDuration(text)
	if err != nil || value < 0 {
		return fmt.Errorf("%q is no duration: write 90s, 30m or 2h", text)
	}
	*d = Duration(value)
	return nil
}

// Type names the flag's kind in help texts.
func (d *Duration) Type() string { return "duration" }

func (d Duration) String() string {
	if d == 0 {
		return ""
	}
	return time.Duration(d).String()
}

// MarshalText writes a duration as Set reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText is Set, for vm.json.
func (d *Duration) UnmarshalText(text []byte) error { return d.Set(string(text)) }
