package tarfile

import (
	"archive/tar"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// global are the records of a tar's global headers: what they say of attributes
// holds for each entry behind them that does not say it itself.
type global map[string]string

// What a tar's global headers say together is bounded: every entry is given it.
const (
	maxGlobal      = 100        // records
	maxGlobalBytes = maxSpecial // bytes of their keys and values
)

// add takes another global header's records, which override those before. Names
// and sizes are each entry's own.
func (g *global) add(records map[string]string) error {
	if *g == nil {
		*g = global{}
	}
	for key, value := range records {
		if isAttribute(key) {
			(*g)[key] = value
		}
	}
	size := 0
	for key, value := range *g {
		size += len(key) + len(value)
	}
	if len(*g) > maxGlobal || size > maxGlobalBytes {
		return fmt.Errorf("its global headers hold more than %d records or %d bytes", maxGlobal, maxGlobalBytes)
	}
	return nil
}

func isAttribute(key string) bool {
	switch key {
	case "uid", "gid", "mtime":
		return true
	}
	return lists[key] != "" || strings.HasPrefix(key, xattrPrefix)
}

// apply gives an entry what it does not say itself. A record without a value
// takes back one of a header before.
func (g global) apply(h *tar.Header) error {
	for key, value := range g {
		if _, own := h.PAXRecords[key]; own || value == "" {
			continue
		}
		var err error
		switch key {
		case "uid":
			h.Uid, err = strconv.Atoi(value)
		case "gid":
			h.Gid, err = strconv.Atoi(value)
		case "mtime":
			h.ModTime, err = timeOf(value)
		default:
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords[key] = value
		}
		if err != nil {
			return fmt.Errorf("the global record %s=%.100q: %w", key, value, tar.ErrHeader)
		}
	}
	return nil
}

// timeOf reads seconds and their fraction, as PAX records have them.
func timeOf(text string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || fraction == "" {
		return time.Unix(seconds, 0), err
	}
	const digits = 9 // down to nanoseconds
	nanoseconds, err := strconv.ParseUint((fraction + strings.Repeat("0", digits))[:digits], 10, 32)
	if strings.HasPrefix(whole, "-") {
		return time.Unix(seconds, -int64(nanoseconds)), err
	}
	return time.Unix(seconds, int64(nanoseconds)), err
}
