// Package control is the guest's end of the connection on which the supervisor
// says what is to be done, one JSON value a line.
package control

import (
	"encoding/json"
	"fmt"
	"net"
	"time"

	"banger/internal/agentapi"
)

// timeout is for dialling and for the supervisor's first line.
const timeout = 30 * time.Second

// Conn is a connection to the supervisor.
type Conn struct {
	conn  net.Conn
	lines *json.Decoder
}

// Dial connects to the supervisor at address and returns its welcome.
func Dial(address string) (*Conn, agentapi.Welcome, error) {
	var welcome agentapi.Welcome
	conn, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return nil, welcome, fmt.Errorf("reach the supervisor: %w", err)
	}
	c := &Conn{conn: conn, lines: json.NewDecoder(conn)}
	conn.SetReadDeadline(time.Now().Add(timeout))
	if err := c.lines.Decode(&welcome); err != nil {
		conn.Close()
		return nil, welcome, fmt.Errorf("read the supervisor's welcome: %w", err)
	}
	conn.SetReadDeadline(time.Time{})
	return c, welcome, nil
}

// Send tells the supervisor of an event.
func (c *Conn) Send(event agentapi.Event) error {
	return json.NewEncoder(c.conn).Encode(event)
}

// Next waits for an order. The error is for a connection that has broken.
func (c *Conn) Next() (agentapi.Order, error) {
	var order agentapi.Order
	err := c.lines.Decode(&order)
	return order, err
}

// Close ends the connection.
func (c *Conn) Close() { c.conn.Close() }
