package kvm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// machine is the trial guest's virtual machine.
type machine struct {
	device, vm, vcpu int
	memory, state    []byte
}

func newMachine(device string) (*machine, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	m := &machine{device: fd, vm: -1, vcpu: -1}
	if err := m.create(); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *machine) create() error {
	version, err := ioctl(m.device, reqAPIVersion, 0)
	if err != nil || version != apiVersion {
		return fmt.Errorf("it does not speak version %d of KVM's interface", apiVersion)
	}
	if err := m.createVM(); err != nil {
		return fmt.Errorf("create a vm: %w", err)
	}
	if err := m.createVCPU(); err != nil {
		return fmt.Errorf("create a vcpu: %w", err)
	}
	return nil
}

func (m *machine) createVM() (err error) {
	if m.vm, err = ioctl(m.device, reqCreateVM, 0); err != nil {
		return err
	}
	if _, err := ioctl(m.vm, reqSetTSSAddress, tssAddress); err != nil {
		return err
	}
	if _, err := ioctl(m.vm, reqCreateIRQChip, 0); err != nil {
		return err
	}
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_ANONYMOUS
	if m.memory, err = unix.Mmap(-1, 0, memorySize, prot, flags); err != nil {
		return err
	}
	loadGuest(m.memory)
	region := struct {
		slot, flags           uint32
		guest, size, userland uint64
	}{size: memorySize, userland: uint64(uintptr(unsafe.Pointer(&m.memory[0])))}
	return ioctlPtr(m.vm, reqSetMemory, unsafe.Pointer(&region))
}

func (m *machine) createVCPU() (err error) {
	if m.vcpu, err = ioctl(m.vm, reqCreateVCPU, 0); err != nil {
		return err
	}
	size, err := ioctl(m.device, reqRunSize, 0)
	if err != nil {
		return err
	}
	m.state, err = unix.Mmap(m.vcpu, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	// Without long mode in its CPUID a guest may not enter it.
	cpuid := make([]byte, 8+40*maxCPUIDs)
	binary.LittleEndian.PutUint32(cpuid, maxCPUIDs)
	if err := ioctlPtr(m.device, reqSupportedCPUID, unsafe.Pointer(&cpuid[0])); err != nil {
		return err
	}
	if err := ioctlPtr(m.vcpu, reqSetCPUID, unsafe.Pointer(&cpuid[0])); err != nil {
		return err
	}
	return m.setRegisters()
}

// setRegisters makes the processor begin at code, in real mode.
func (m *machine) setRegisters() error {
	special := make([]byte, specialRegsSize)
	if err := ioctlPtr(m.vcpu, reqGetSpecialRegs, unsafe.Pointer(&special[0])); err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(special[codeBase:], 0)
	binary.LittleEndian.PutUint16(special[codeSelector:], 0)
	if err := ioctlPtr(m.vcpu, reqSetSpecialRegs, unsafe.Pointer(&special[0])); err != nil {
		return err
	}
	regs := make([]byte, regsSize)
	binary.LittleEndian.PutUint64(regs[regsRIP:], code)
	binary.LittleEndian.PutUint64(regs[regsFlags:], flagsAlwaysOne)
	return ioctlPtr(m.vcpu, reqSetRegs, unsafe.Pointer(&regs[0]))
}

// run runs the guest and returns the processor time that its loop took. What has
// taken more than maxLoop is not run to its end.
func (m *machine) run(ctx context.Context) (loop time.Duration, err error) {
	thread, done := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		if err = m.runUntil(ctx, saysStarted); err != nil {
			return
		}
		start := threadTime()
		for round := 0; round < rounds && loop <= maxLoop && err == nil; round++ {
			err = m.runUntil(ctx, saysEnded)
			loop = threadTime() - start
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
		m.state[immediateExit] = 1
		unix.Tgkill(os.Getpid(), <-thread, unix.SIGURG) // Go's runtime ignores it
		<-done
	}
	return loop, err
}

// runUntil runs the guest until it says what is expected.
func (m *machine) runUntil(ctx context.Context, expected byte) error {
	for {
		_, err := ioctl(m.vcpu, reqRun, 0)
		switch {
		case ctx.Err() != nil:
			return errors.New("the guest got stuck")
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		}
		break
	}
	switch reason := binary.LittleEndian.Uint32(m.state[exitReason:]); reason {
	case exitIO:
		if said := m.state[binary.LittleEndian.Uint64(m.state[ioDataOffset:])]; said != expected {
			return errors.New("the guest could not enter 64-bit mode")
		}
		return nil
	case exitShutdown:
		return errors.New("the guest crashed entering 64-bit mode")
	default:
		return fmt.Errorf("the guest stopped for reason %d", reason)
	}
}

func (m *machine) close() {
	unix.Munmap(m.state)
	unix.Munmap(m.memory)
	for _, fd := range []int{m.vcpu, m.vm, m.device} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
