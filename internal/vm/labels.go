package vm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"banger/internal/pattern"
)

// Labels are a user's own notes on a VM.
type Labels map[string]string

// Bounds of labels, which every list reads.
const (
	maxLabels     = 64
	maxLabelValue = 256 // bytes
)

var labelKey = pattern.New(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`)

// Check returns what is wrong with the labels.
func (l Labels) Check() error {
	if len(l) > maxLabels {
		return fmt.Errorf("%d labels: a vm has %d at the most", len(l), maxLabels)
	}
	for key, value := range l {
		switch {
		case !labelKey().MatchString(key):
			return fmt.Errorf("label %q: its name must be of letters, digits and . _ / -, and begin with a letter or digit", key)
		case len(value) > maxLabelValue:
			return fmt.Errorf("label %q: its value has %d bytes, and may have %d", key, len(value), maxLabelValue)
		}
	}
	return nil
}

// Set adds KEY=VALUE, for flags.
func (l *Labels) Set(text string) error {
	key, value, _ := strings.Cut(text, "=")
	if *l == nil {
		*l = Labels{}
	}
	(*l)[key] = value
	return Labels{key: value}.Check()
}

// Type names the flag's kind in help texts.
func (l *Labels) Type() string { return "key=value" }

// String returns the labels sorted, with commas between.
func (l Labels) String() string {
	var all []string
	for key, value := range l {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// Have reports whether the labels include all of wanted.
func (l Labels) Have(wanted Labels) bool {
	for key, value := range wanted {
		if got, there := l[key]; !there || value != "" && got != value {
			return false
		}
	}
	return true
}

// With returns the labels with more added; one without a value removes the label of that
// name.
func (l Labels) With(more Labels) Labels {
	all := maps.Clone(l)
	for key, value := range more {
		if value == "" {
			delete(all, key)
			continue
		}
		if all == nil {
			all = Labels{}
		}
		all[key] = value
	}
	return all
}
