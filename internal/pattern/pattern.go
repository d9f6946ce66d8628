// Package pattern has regular expressions be compiled when they are first needed.
//
// Every command of banger's begins by what its packages do at their start, and needs
// few of their expressions. One that repeats much takes longer to compile than a
// command's flags to read.
package pattern

import (
	"regexp"
	"sync"
)

// New returns what compiles expr once, at its first call, which panics where expr is
// none.
func New(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
