package usernet

import "testing"

// FuzzFrames sends the stack what a guest may: any frames.
func FuzzFrames(f *testing.F) {
	arp := append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x02\x08\x06"), make([]byte, 28)...)
	syn := append([]byte("\x02\xba\x5e\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00\x45\x00\x00\x28\x00\x00\x20\x00\x40\x06\x00\x00\xc0\xa8\x7f\x02\xc0\xa8\x7f\x01"), make([]byte, 20)...)
	f.Add(arp, 40)
	f.Add(syn, 54)
	n, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(n.Close)
	n.servers = func() []string { return nil }
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size = 1 + int(uint(size)%maxFrame)
		for len(data) > 0 {
			frame := data[:min(size, len(data))]
			data = data[len(frame):]
			if reachesOutside(frame) {
				continue // a test sends nothing to strangers
			}
			n.link.receive(frameView(frame))
		}
	})
}
