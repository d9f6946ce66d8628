package usernet

// budget is a number of things that there may be at a time; it is as full as
// there are.
type budget chan struct{}

func newBudget(size int) budget { return make(budget, size) }

// take reports whether there is room for one more, which leave then gives back.
func (b budget) take() bool {
	select {
	case b <- struct{}{}:
		return true
	default:
		return false
	}
}

func (b budget) leave() { <-b }
