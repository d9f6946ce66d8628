package linkd

import (
	"encoding/json"

	"banger/internal/agent/link"
	"banger/internal/agentapi"
	"banger/internal/guest/disks"
	"banger/internal/guest/tcpend"
)

// settle leaves the file systems of disks clean.
func settle(header agentapi.Header, channel *link.Channel) error {
	var want agentapi.SettleStream
	if err := json.Unmarshal(header.Payload, &want); err != nil {
		return err
	}
	go channel.Serve(func(agentapi.Message) {})
	if err := disks.Settle(want.Devices); err != nil {
		return err
	}
	return channel.Send(agentapi.Message{Exit: new(int)})
}

// grow has a file system use what its disk has grown by.
func grow(header agentapi.Header, channel *link.Channel) error {
	var want agentapi.GrowStream
	if err := json.Unmarshal(header.Payload, &want); err != nil {
		return err
	}
	go channel.Serve(func(agentapi.Message) {})
	if err := disks.GrowLater(want.Device, want.Path, want.Bytes); err != nil {
		return err
	}
	return channel.Send(agentapi.Message{Exit: new(int)})
}

// ready has at hand what the guest needs when it becomes another one.
func ready(channel *link.Channel) error {
	go channel.Serve(func(agentapi.Message) {})
	if err := tcpend.Ready(); err != nil {
		return err
	}
	return channel.Send(agentapi.Message{Exit: new(int)})
}
