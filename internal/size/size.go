// Package size reads and prints amounts of memory and disk. It is pure.
package size

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"banger/internal/pattern"
)

// Size is an amount in bytes.
type Size int64

// units are binary; the first letter is enough.
const units = "KMGT"

var amount = pattern.New(`^([0-9]+(?:\.[0-9]+)?)(?:([KMGT])(?:I?B)?)?$`)

// Parse reads "512M", "8GiB", "1.5G" or, in mebibytes, "2048".
func Parse(text string) (Size, error) {
	part := amount().FindStringSubmatch(strings.ToUpper(strings.TrimSpace(text)))
	if part == nil {
		return 0, fmt.Errorf("%q is no size: write 512M or 8G", text)
	}
	unit := part[2]
	if unit == "" {
		unit = "M"
	}
	value, _ := strconv.ParseFloat(part[1], 64)
	value *= math.Pow(1024, float64(strings.Index(units, unit)+1))
	if value >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is too large a size", text)
	}
	return Size(value), nil
}

// String returns s as Parse reads it, rounded to a tenth.
func (s Size) String() string {
	value, unit := float64(s), "B"
	for _, u := range units {
		if value < 1024 {
			break
		}
		value, unit = value/1024, string(u)
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + unit
}

// Set is Parse, for flags.
func (s *Size) Set(text string) (err error) {
	*s, err = Parse(text)
	return err
}

// Type names the flag's kind in help texts.
func (s *Size) Type() string { return "size" }

// UnmarshalText is Set, for configuration files.
func (s *Size) UnmarshalText(text []byte) error { return s.Set(string(text)) }
