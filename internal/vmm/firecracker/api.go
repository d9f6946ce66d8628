package firecracker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"banger/internal/statedir"
)

// api speaks to a running Firecracker over its socket, as its API description
// (src/firecracker/swagger/firecracker.yaml) has it.
type api struct{ http *http.Client }

func newAPI(socket string) api {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return statedir.DialSocket(ctx, socket)
	}
	return api{&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// vmState is the API's type Vm.
type vmState struct {
	State string `json:"state"`
}

// partialDrive is the API's type PartialDrive.
type partialDrive struct {
	DriveID    string `json:"drive_id"`
	PathOnHost string `json:"path_on_host"`
}

// The states that a microVM can be told to be in.
const (
	paused  = "Paused"
	resumed = "Resumed"
)

func (a api) setState(ctx context.Context, state string) error {
	return a.send(ctx, http.MethodPatch, "/vm", vmState{state})
}

// send makes a request whose success has no content. The error is Firecracker's
// own words where it refuses.
func (a api) send(ctx context.Context, method, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask firecracker: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("firecracker refuses %s %s: %w", method, path, fault(response))
	}
	return nil
}

// maxFault is more than any refusal's text, in bytes.
const maxFault = 64 << 10

// fault is why Firecracker refused: the API's type Error, or the status.
func fault(response *http.Response) error {
	var refusal struct {
		Message string `json:"fault_message"`
	}
	err := json.NewDecoder(io.LimitReader(response.Body, maxFault)).Decode(&refusal)
	if err != nil || refusal.Message == "" {
		return errors.New(response.Status)
	}
	return errors.New(refusal.Message)
}
