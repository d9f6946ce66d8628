package kvm

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests and structures of the kernel's include/uapi/linux/kvm.h, documented
// in Documentation/virt/kvm/api.rst.
const (
	reqAPIVersion     = 0xae00
	reqCreateVM       = 0xae01
	reqRunSize        = 0xae04
	reqSupportedCPUID = 0xc008ae05
	reqCreateVCPU     = 0xae41
	reqSetMemory      = 0x4020ae46
	reqSetTSSAddress  = 0xae47
	reqCreateIRQChip  = 0xae60
	reqRun            = 0xae80
	reqSetRegs        = 0x4090ae82
	reqGetSpecialRegs = 0x8138ae83
	reqSetSpecialRegs = 0x4138ae84
	reqSetCPUID       = 0x4008ae90

	apiVersion = 12
	tssAddress = 0xfffbd000 // three pages, where no memory is
	maxCPUIDs  = 256

	// struct kvm_run: offsets, and the reasons for an exit
	immediateExit = 1
	exitReason    = 8
	ioDataOffset  = 40
	exitIO        = 2
	exitShutdown  = 8

	// struct kvm_sregs and struct kvm_regs: sizes and offsets
	specialRegsSize = 312
	codeBase        = 0
	codeSelector    = 12
	regsSize        = 144
	regsRIP         = 128
	regsFlags       = 136
	flagsAlwaysOne  = 2
)

// threadTime is the processor time that this thread has used.
func threadTime() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

func ioctl(fd int, request, argument uintptr) (int, error) {
	result, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, argument)
	if errno != 0 {
		return -1, errno
	}
	return int(result), nil
}

func ioctlPtr(fd int, request uintptr, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}
