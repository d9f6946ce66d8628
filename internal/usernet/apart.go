package usernet

// A goroutine keeps the stack that it once needed for as long as it waits, and of
// those that wait for connections there are thousands. So what needs one, as all does
// that the TCP/IP stack is told to do, is done by another goroutine.

// apart runs f and waits for it.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// brief are as many as there are that do something briefly: connections may end all
// at once.
var brief = make(chan struct{}, 16)

// briefly is apart for what waits for nobody.
func briefly(f func()) {
	brief <- struct{}{}
	apart(f)
	<-brief
}
