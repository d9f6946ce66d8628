package imagemgr

import "golang.org/x/sys/cpu"

// runs is the highest variant of amd64 that this machine runs, as the psABI has
// them. golang.org/x/sys/cpu reports no F16C, LZCNT and MOVBE, which no processor
// with AVX2 and BMI2 lacks.
func runs() int {
	x := &cpu.X86
	switch {
	case !x.HasSSE3 || !x.HasSSSE3 || !x.HasSSE41 || !x.HasSSE42 || !x.HasPOPCNT || !x.HasCX16:
		return 1
	case !x.HasAVX || !x.HasAVX2 || !x.HasBMI1 || !x.HasBMI2 || !x.HasFMA || !x.HasOSXSAVE:
		return 2
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512CD || !x.HasAVX512DQ || !x.HasAVX512VL:
		return 3
	}
	return 4
}
