package supervisor

import (
	"errors"
	"fmt"

	"banger/internal/vm"
)

// guestError is a guest's failure, as opposed to the host's.
type guestError struct {
	what    string
	console []string
	again   bool // another boot may go better
}

func (e *guestError) Error() string { return e.what }

// reason is what vm.json says of a guest's end; err is its VMM's.
func (s *supervisor) reason(err error) string {
	asked, ending := s.reasonAsked(), s.console.end()
	switch {
	case asked != "":
		return asked
	case ending != "":
		return ending
	case err != nil:
		return err.Error()
	}
	return poweredOff
}

// reasonAsked is why the VM was told to end, or "".
func (s *supervisor) reasonAsked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// failure is err as the starter hears it.
func failure(err error, hint func(error) string) *vm.StartError {
	f := &vm.StartError{Message: err.Error(), Hint: hint(err)}
	var guest *guestError
	if errors.As(err, &guest) {
		f.Console = guest.console
	}
	return f
}

// Refuse tells o's starter why its VM cannot even be tried.
func Refuse(o Options, err error) {
	o.Starter.Send(vm.Report{Failure: failure(err, o.Hint)})
	o.Starter.Close()
}

// diskError notes why the guest got an I/O error, once for as long as that is the
// same.
func (s *supervisor) diskError(why string) {
	text := clip("the guest got I/O errors of the host's disk: "+why, maxReason)
	s.mu.Lock()
	known := s.vm.State.DiskError == text
	s.mu.Unlock()
	if known {
		return
	}
	fmt.Fprintln(s.Log, text)
	s.save(func(st *vm.State) { st.DiskError = text })
}
