package kvm

import "encoding/binary"

// The trial guest's memory.
const (
	memorySize   = 0x10000
	faultHandler = 0x0800
	code         = 0x1000
	gdt          = 0x1800
	gdtPointer   = 0x1810
	pml4         = 0x2000
	pdpt         = 0x3000
	pageDir      = 0x4000
)

// What the guest says, each a byte written to some port.
const (
	saysStarted = 'S' // it is in 64-bit mode, the loop follows
	saysEnded   = 'E' // it has been through a round of the loop
	saysFault   = 'F' // an exception in real mode
)

// program is the guest: Intel SDM volume 3, 10.8.5, "Initializing IA-32e Mode".
var program = []byte{
	0xfa,                               // cli
	0x66, 0xb8, 0x20, 0x00, 0x00, 0x00, // mov eax, CR4.PAE
	0x0f, 0x22, 0xe0, // mov cr4, eax
	0x66, 0xb8, 0x00, 0x20, 0x00, 0x00, // mov eax, pml4
	0x0f, 0x22, 0xd8, // mov cr3, eax
	0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, // mov ecx, EFER
	0x0f, 0x32, // rdmsr
	0x66, 0x0d, 0x00, 0x01, 0x00, 0x00, // or eax, EFER.LME
	0x0f, 0x30, // wrmsr
	0x2e, 0x66, 0x0f, 0x01, 0x16, 0x10, 0x18, // lgdt cs:[gdtPointer]
	0x0f, 0x20, 0xc0, // mov eax, cr0
	0x66, 0x0d, 0x01, 0x00, 0x00, 0x80, // or eax, CR0.PG|CR0.PE
	0x0f, 0x22, 0xc0, // mov cr0, eax
	0xea, 0x3b, 0x10, 0x08, 0x00, // jmp 8:next

	0x48, 0xb8, 0, 0, 0, 0, saysStarted, 0, 0, 0, // next: mov rax, 'S' << 32
	0x48, 0xc1, 0xe8, 0x20, // shr rax, 32
	0xe6, 0xf4, // out 0xf4, al
	0xb9, 0x00, 0x10, 0x00, 0x00, // round: mov ecx, 4096
	0xff, 0xc9, // loop: dec ecx
	0x75, 0xfc, // jnz loop
	0xb0, saysEnded, // mov al, 'E'
	0xe6, 0xf4, // out 0xf4, al
	0xeb, 0xf1, // jmp round
}

// onFault is what every real-mode interrupt vector points to.
var onFault = []byte{
	0xb0, saysFault, // mov al, 'F'
	0xe6, 0xf4, // out 0xf4, al
	0xf4, // hlt
}

// loadGuest lays out the guest in its memory.
func loadGuest(memory []byte) {
	le := binary.LittleEndian
	for vector := range 256 {
		le.PutUint32(memory[vector*4:], faultHandler) // segment 0
	}
	copy(memory[faultHandler:], onFault)
	copy(memory[code:], program)

	le.PutUint64(memory[gdt+8:], 0x00af9b000000ffff) // 64-bit code segment
	le.PutUint16(memory[gdtPointer:], 15)
	le.PutUint32(memory[gdtPointer+2:], gdt)

	le.PutUint64(memory[pml4:], pdpt|0x03)    // present, writable
	le.PutUint64(memory[pdpt:], pageDir|0x03) // present, writable
	le.PutUint64(memory[pageDir:], 0x83)      // present, writable, 2 MiB at 0
}
