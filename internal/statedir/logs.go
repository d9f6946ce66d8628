package statedir

import "strconv"

// KeptLogs is how many logs of earlier boots are kept beside the latest.
const KeptLogs = 4

// EarlierLog is the path of a log as it was some boots before; 0 is the latest's.
func EarlierLog(path string, boots int) string {
	if boots == 0 {
		return path
	}
	return path + "." + strconv.Itoa(boots)
}

// LogTimes is the path of the file that says when what of a log was written: a
// line each with an offset and the nanoseconds since 1970.
func LogTimes(path string) string { return path + ".times" }
