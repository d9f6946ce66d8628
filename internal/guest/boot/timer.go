package boot

import (
	"errors"
	"os"
	"strings"

	"banger/internal/agentapi"
)

// interrupts is where the kernel counts them.
const interrupts = "/proc/interrupts"

// checkTimer fails where the processors' timers have not ticked in the whole
// boot. Nothing could wait for that: whoever slept would not wake.
func checkTimer(interrupts string) error {
	text, err := os.ReadFile(interrupts)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 0 && fields[0] == "LOC:" && silent(fields[1:]) {
			return errors.New(agentapi.NoTimer)
		}
	}
	return nil
}

// silent reports whether counts, with a description behind them, are all 0.
func silent(counts []string) bool {
	for _, field := range counts {
		if field[0] < '0' || field[0] > '9' {
			break
		}
		if field != "0" {
			return false
		}
	}
	return true
}
