package main

import (
	"bufio"
	"bytes"
	"crypto/sha1" // RFC 6455 has it so
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

const key = "dGhlIHNhbXBsZSBub25jZQ=="

// acceptance is a server's answer to a client's key: RFC 6455, 4.2.2.
func acceptance(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

const (
	binaryMessage = 0x82 // whole
	masked        = 0x80
	longLength    = 126 // in two bytes
)

// writeMessage writes a message of up to 64 KiB: RFC 6455, 5.2.
func writeMessage(w io.Writer, message []byte, mask bool) error {
	frame := []byte{binaryMessage, longLength}
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(message)))
	if mask {
		frame[1] |= masked
		frame = append(frame, 1, 2, 3, 4)
	}
	for i, b := range message {
		if mask {
			b ^= byte(1 + i%4)
		}
		frame = append(frame, b)
	}
	_, err := w.Write(frame)
	return err
}

func readMessage(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if head[0] != binaryMessage || head[1]&^masked != longLength {
		return nil, errors.New("a frame of another form")
	}
	var mask [4]byte
	if head[1]&masked != 0 {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return nil, err
		}
	}
	message := make([]byte, binary.BigEndian.Uint16(head[2:]))
	_, err := io.ReadFull(r, message)
	for i := range message {
		message[i] ^= mask[i%4]
	}
	return message, err
}

// askSocket has messages said again over a connection to a host.
func askSocket(conn net.Conn, host, token string) (string, error) {
	defer conn.Close()
	fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", host, token, key)
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Accept") != acceptance(key) {
		return "", errors.New("the server does not accept: " + answer.Status)
	}
	for _, message := range [][]byte{{1}, []byte(token), make([]byte, 1000), make([]byte, 65535)} {
		if err := writeMessage(conn, message, true); err != nil {
			return "", err
		}
		if back, err := readMessage(in); err != nil || !bytes.Equal(back, message) {
			return "", fmt.Errorf("%d bytes came back of %d: %w", len(back), len(message), err)
		}
	}
	return "said again", nil
}
