package link

import (
	"net"
	"time"
)

// shareGreeting begins a connection that carries one of the host's directories, which
// is no link: its messages are so many that each layer counts. The same proof follows,
// and the directory's number.
const shareGreeting = "banger share 1\n"

// OfferShare begins the guest's end of such a connection.
func OfferShare(conn net.Conn, secret []byte, number byte) error {
	_, err := conn.Write(append(append([]byte(shareGreeting), secret...), number))
	return err
}

// AcceptShare begins the host's end, and returns which directory is meant. Its errors
// are Accept's.
func AcceptShare(conn net.Conn, secret []byte, within time.Duration) (number byte, err error) {
	if err := meet(conn, append([]byte(shareGreeting), secret...), within); err != nil {
		return 0, err
	}
	var which [1]byte
	conn.SetReadDeadline(time.Now().Add(within))
	if _, err := conn.Read(which[:]); err != nil {
		return 0, ErrStranger
	}
	return which[0], conn.SetReadDeadline(time.Time{})
}
