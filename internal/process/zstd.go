package process

import (
	"bytes"
	"context"
	"fmt"
)

// Zstd returns one zstd frame with data, compressed at a level, by the program of
// that name. The same data gives the same bytes. The frame says how much it holds.
func Zstd(ctx context.Context, level int, data []byte) ([]byte, error) {
	var out bytes.Buffer
	err := Run(ctx, Cmd{
		Args: []string{
			"zstd", fmt.Sprintf("-%d", level), "--single-thread", // since more write other bytes
			fmt.Sprintf("--stream-size=%d", len(data)), "--quiet", "--stdout",
		},
		Stdin: bytes.NewReader(data), Stdout: &out,
	})
	return out.Bytes(), err
}
