package usernet

import "time"

// pass sends on what came from the guest, where that is not held.
func (s *stream) pass(data []byte) (err error) {
	if s.opening != nil {
		if data, err = s.opening.add(data); err != nil {
			return err
		}
		switch {
		case s.opening.over:
			s.plain = s.opening.plain
			s.releaseOpening()
		case data == nil:
			return s.holdOpening()
		default:
			s.unholdOpening()
		}
	}
	if err := s.plain.look(data); err != nil {
		return err
	}
	_, err = s.outside.Write(data)
	return err
}

// awaitAnswer returns when it is known what the host answers to the guest's first
// message, where that has been sent.
func (s *stream) awaitAnswer() error {
	if s.opening == nil || !s.opening.sent || s.answer.isKnown() {
		return nil
	}
	if err := s.holdOpening(); err != nil {
		return err
	}
	<-s.answer.known
	return nil
}

// holdOpening counts what is held, and bounds for how long.
func (s *stream) holdOpening() error {
	if s.held > 0 {
		return nil
	}
	var ok bool
	if s.held, ok = s.hold(); !ok {
		return errNoRoom
	}
	s.late = time.AfterFunc(openingTime, s.abort)
	return nil
}

// releaseOpening is called once nothing is held, or will be.
func (s *stream) releaseOpening() {
	s.opening = nil
	s.unholdOpening()
}

func (s *stream) unholdOpening() {
	if s.held > 0 {
		s.late.Stop()
		s.grant.unhold(s.held)
		s.held = 0
	}
}
