//go:build !amd64

package imagemgr

// runs lets every variant be: what a processor runs is not known here.
func runs() int { return 9 }
