// Package terminal makes pseudo-terminals and gives them the size and modes
// that an SSH client asks for.
package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal.
type Terminal struct {
	Master *os.File // the server's side
	Slave  *os.File // the program's
}

// Open makes a terminal, whose slave belongs to uid.
func Open(uid int) (*Terminal, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a terminal: %w", err)
	}
	t := &Terminal{Master: os.NewFile(uintptr(fd), "ptmx")}
	if err := t.openSlave(fd, uid); err != nil {
		t.Master.Close()
		return nil, fmt.Errorf("open a terminal: %w", err)
	}
	return t, nil
}

func (t *Terminal) openSlave(master, uid int) error {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/dev/pts/%d", number)
	if t.Slave, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return err
	}
	if err := t.Slave.Chown(uid, -1); err != nil {
		t.Slave.Close()
		return err
	}
	return nil
}

// Resize sets the window's size and tells the foreground programs.
func (t *Terminal) Resize(columns, rows uint32) error {
	size := unix.Winsize{Col: uint16(columns), Row: uint16(rows)}
	return t.control(func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size) })
}

// control calls do with the master's descriptor; os.File.Fd would make it
// block.
func (t *Terminal) control(do func(fd int) error) error {
	conn, err := t.Master.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	if err := conn.Control(func(fd uintptr) { doErr = do(int(fd)) }); err != nil {
		return err
	}
	return doErr
}

// CopyTo copies what programs print until nobody holds the slave any more, or
// until Finish.
func (t *Terminal) CopyTo(w io.Writer) error {
	_, err := io.Copy(w, t.Master)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return t.drain(w)
	}
	if errors.Is(err, unix.EIO) {
		return nil // how Linux says that the slave is closed
	}
	return err
}

// Finish makes CopyTo return when it has copied what was printed so far:
// programs in the background may hold the slave for ever.
func (t *Terminal) Finish() { t.Master.SetReadDeadline(time.Now()) }

// drain copies what is there and does not wait for more.
func (t *Terminal) drain(w io.Writer) error {
	t.Master.SetReadDeadline(time.Time{})
	conn, err := t.Master.SyscallConn()
	if err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n := 0
		if err := conn.Read(func(fd uintptr) bool {
			n, _ = unix.Read(int(fd), buf) // -1 with EAGAIN, or EIO
			return true
		}); err != nil {
			return err
		}
		if n <= 0 {
			return nil
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
	}
}
