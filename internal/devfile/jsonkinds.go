package devfile

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
)

// portNumber is a port as a number or a text.
type portNumber string

// UnmarshalJSON implements json.Unmarshaler.
func (p *portNumber) UnmarshalJSON(data []byte) error {
	var number uint16
	if json.Unmarshal(data, &number) == nil {
		*p = portNumber(strconv.Itoa(int(number)))
		return nil
	}
	return json.Unmarshal(data, (*string)(p))
}

// oneOrMore is a value, or an array of them.
type oneOrMore[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (o *oneOrMore[T]) UnmarshalJSON(data []byte) error {
	var one T
	if json.Unmarshal(data, &one) == nil {
		*o = oneOrMore[T]{one}
		return nil
	}
	return json.Unmarshal(data, (*[]T)(o))
}

// command is a shell's line, a program with its arguments, or an object of either,
// which other tools run beside each other, and banger in the order of their names.
type command []Command

// UnmarshalJSON implements json.Unmarshaler.
func (c *command) UnmarshalJSON(data []byte) error {
	if one, err := oneCommand(data); err == nil {
		*c = one
		return nil
	}
	var several map[string]json.RawMessage
	if err := json.Unmarshal(data, &several); err != nil {
		return errors.New("a command is a text, an array of texts, or an object of those")
	}
	for _, name := range slices.Sorted(maps.Keys(several)) {
		one, err := oneCommand(several[name])
		if err != nil {
			return err
		}
		*c = append(*c, one...)
	}
	return nil
}

func oneCommand(data []byte) (command, error) {
	var line string
	if json.Unmarshal(data, &line) == nil {
		return command(lines([]string{line})), nil
	}
	var argv []string
	if err := json.Unmarshal(data, &argv); err != nil {
		return nil, err
	}
	if len(argv) == 0 {
		return nil, nil
	}
	return command{{Argv: argv}}, nil
}
