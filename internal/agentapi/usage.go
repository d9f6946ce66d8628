package agentapi

// Stats is what a guest's kernel says of the use that is made of it. Counters are
// since its boot.
type Stats struct {
	CPUs         int    `json:"cpus"`
	BusyTicks    uint64 `json:"busy_ticks"` // of all processors together, TicksPerSecond each
	TotalTicks   uint64 `json:"total_ticks"`
	Memory       int64  `json:"memory"`           // bytes, as are all that follow
	MemoryFree   int64  `json:"memory_available"` // for programs, without swapping
	Swap         int64  `json:"swap"`
	SwapFree     int64  `json:"swap_free"`
	Root         int64  `json:"root"` // the root file system
	RootFree     int64  `json:"root_free"`
	NetReceived  uint64 `json:"net_received"`
	NetSent      uint64 `json:"net_sent"`
	DiskRead     uint64 `json:"disk_read"`
	DiskWritten  uint64 `json:"disk_written"`
	Processes    int    `json:"processes"`
	UptimeMillis int64  `json:"uptime_ms"`
}

// TicksPerSecond is how many the kernel counts processor time in for programs.
const TicksPerSecond = 100

// Process is one of a guest's processes.
type Process struct {
	PID       int    `json:"pid"`
	PPID      int    `json:"ppid"`
	UID       int    `json:"uid"`
	State     string `json:"state"` // a letter, as proc(5) has it
	Threads   int    `json:"threads"`
	Memory    int64  `json:"memory"` // resident, in bytes
	CPUTicks  uint64 `json:"cpu_ticks"`
	StartTick uint64 `json:"start_tick"` // since boot; tells processes apart that have one number
	Command   string `json:"command"`    // its arguments, or in brackets its name
}

// Top is a guest's processes at one moment.
type Top struct {
	UptimeMillis int64     `json:"uptime_ms"`
	Processes    []Process `json:"processes"`
	More         bool      `json:"more,omitempty"` // there are more than those
}

// Bounds of Top.
const (
	MaxProcesses = 4096
	MaxCommand   = 256 // bytes
)
