package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// A client that writes all it wants and closes is answered all of it.
func TestAnswersAfterTheClientHasClosed(t *testing.T) {
	d := newDesk(&fakeHost{t: t}, settings{max: 1})
	defer d.close()
	var asked strings.Builder
	asked.WriteString(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n")
	for i := range 20 {
		fmt.Fprintf(&asked, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"run","arguments":{"command":"echo said %d"}}}`+"\n", i+1, i+1)
	}
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- newServer(d).Run(t.Context(), patient{&sdk.IOTransport{Reader: io.NopCloser(strings.NewReader(asked.String())), Writer: out}, make(chan struct{})})
		out.Close()
	}()
	var got []int
	for lines := bufio.NewScanner(answers); lines.Scan(); {
		var a struct {
			ID     *int
			Result struct{ Content []struct{ Text string } }
		}
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if a.ID != nil {
			got = append(got, *a.ID)
			if *a.ID > 0 && (len(a.Result.Content) == 0 || !strings.Contains(a.Result.Content[0].Text, fmt.Sprintf("said %d\n", *a.ID))) {
				t.Errorf("answered %s", lines.Text())
			}
		}
	}
	<-ended
	if slices.Sort(got); len(got) != 21 {
		t.Errorf("answered %d", got)
	}
}

// What nobody would hear of is ended.
func TestUnheardCallIsEnded(t *testing.T) {
	d := newDesk(&fakeHost{t: t}, settings{max: 1})
	defer d.close()
	answers, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, ask := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- newServer(d).Run(context.Background(), patient{&sdk.IOTransport{Reader: in, Writer: out}, unread(out)})
	}()
	fmt.Fprintln(ask, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	bufio.NewReader(answers).ReadString('\n')
	fmt.Fprintln(ask, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	fmt.Fprintln(ask, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run","arguments":{"command":"exec sleep 3000"}}}`)
	answers.Close()
	ask.Close()
	<-ended
}
