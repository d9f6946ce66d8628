package snapshot

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"banger/internal/vmm"
)

// Machine is what a saved guest can go on in.
type Machine struct {
	VMM           *vmm.Info `json:"vmm,omitempty"`
	CPU           string    `json:"cpu"`          // the host's model
	CPUFeatures   []string  `json:"cpu_features"` // as Linux calls them
	KernelDigest  string    `json:"kernel_digest"`
	ImageDigest   string    `json:"image_digest"`
	AgentProtocol int       `json:"agent_protocol"`
}

// IncompatibleError says why a guest cannot go on here.
type IncompatibleError struct {
	Name string // the snapshot's
	What string // that does not fit
	Disk bool   // its disk can be booted all the same
}

func (e *IncompatibleError) Error() string {
	return fmt.Sprintf("snapshot %q does not fit: %s", e.Name, e.What)
}

// CheckDisk is an *IncompatibleError where the snapshot's disk makes no sense with
// the image of today.
func (s Snapshot) CheckDisk(here Machine) error {
	if s.Machine.ImageDigest != here.ImageDigest {
		return &IncompatibleError{s.Name, fmt.Sprintf("image %q is not the one that it was taken with", s.VM.Image), false}
	}
	return nil
}

// Check is an *IncompatibleError where the saved guest cannot go on in here.
func (s Snapshot) Check(here Machine) error {
	if err := s.CheckDisk(here); err != nil {
		return err
	}
	if what := s.Machine.misfit(here); what != "" {
		return &IncompatibleError{s.Name, what, true}
	}
	if s.Machine.KernelDigest != here.KernelDigest {
		return &IncompatibleError{s.Name, fmt.Sprintf("kernel %q is not the one that it was taken with", s.VM.Kernel), true}
	}
	return nil
}

func (m Machine) misfit(here Machine) string {
	was, is := m.VMM, here.VMM
	switch {
	case was == nil || is == nil:
		return "the VMM is not known"
	case was.Backend != is.Backend || was.Version != is.Version:
		return fmt.Sprintf("it was taken in %s %s, and here is %s %s", was.Backend, was.Version, is.Backend, is.Version)
	case was.Accel != is.Accel:
		return fmt.Sprintf("it was taken with %s, and here is %s", was.Accel, is.Accel)
	case m.AgentProtocol != here.AgentProtocol:
		return fmt.Sprintf("its agent speaks protocol %d, and this banger %d", m.AgentProtocol, here.AgentProtocol)
	case was.Accel != vmm.KVM:
		return "" // the processor is the VMM's own
	}
	for _, feature := range m.CPUFeatures {
		if !slices.Contains(here.CPUFeatures, feature) {
			return fmt.Sprintf("it was taken on %s, and this host's processor lacks %s", m.CPU, feature)
		}
	}
	return ""
}

// Processor returns the model and the features of this host's processor.
func Processor() (model string, features []string) {
	data, _ := os.ReadFile("/proc/cpuinfo")
	return parseProcessor(data)
}

func parseProcessor(cpuinfo []byte) (model string, features []string) {
	for lines := bufio.NewScanner(bytes.NewReader(cpuinfo)); lines.Scan() && lines.Text() != ""; {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(key) {
		case "model name":
			model = strings.TrimSpace(value)
		case "flags":
			features = strings.Fields(value)
		}
	}
	return model, features
}
