package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/format/ext4/ext4test"
	"banger/internal/ports"
	"banger/internal/ref"
	"banger/internal/statedir"
)

// The test's executable is the supervisor too, see TestMain.
const fakeSupervisor = "BANGER_TEST_SUPERVISOR"

func TestMain(m *testing.M) {
	if behaviour := os.Getenv(fakeSupervisor); behaviour != "" {
		supervise(behaviour, os.Args[len(os.Args)-1])
		return
	}
	os.Exit(m.Run())
}

// supervise behaves as a supervisor does, or as one with a fault.
func supervise(behaviour, name string) {
	starter, err := NewReporter(os.NewFile(3, "starter"))
	if err != nil {
		panic(err)
	}
	store := NewStore(statedir.Tree{Kind: "vm", Dir: os.Getenv("BANGER_TEST_TREE")})
	if behaviour == "comes second" {
		starter.Send(Report{Failure: &StartError{Message: "is running"}})
		return
	}
	if _, err := store.Lock(context.Background(), name); err != nil {
		panic(err)
	}
	v, err := store.Get(name)
	if err != nil {
		panic(err)
	}
	starter.Send(Report{Stage: "booting"})
	switch behaviour {
	case "ready":
		listener, err := statedir.ListenSocket(store.Path(name, statedir.Socket))
		if err != nil {
			panic(err)
		}
		v.State.Phase = Running
		store.Save(v)
		starter.Send(Report{Ready: true})
		if v.Ephemeral {
			starter.Gone()
			store.RemoveLocked(name)
			return
		}
		answer(listener)
	case "fails":
		starter.Send(Report{Failure: &StartError{Message: "no guest", Console: []string{"panic"}, Hint: "do this"}})
	case "dies":
	case "deaf":
		starter.Send(Report{Ready: true})
		select {}
	case "hangs":
		starter.Gone()
	case "ready all the same":
		starter.Gone()
		starter.Send(Report{Ready: true})
	}
}

// answer serves until it is told to end.
func answer(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		var r Request
		lines := NewLineConn(conn)
		lines.ReadJSON(&r)
		switch r.Op {
		case OpDial:
			json.NewEncoder(conn).Encode(Reply{})
			io.Copy(conn, lines) // echoes
		case OpStop:
			json.NewEncoder(conn).Encode(Reply{WaitsFor: "it is busy"})
			json.NewEncoder(conn).Encode(Reply{}) // and does nothing
		case OpKill:
			json.NewEncoder(conn).Encode(Reply{})
			return
		default:
			json.NewEncoder(conn).Encode(Reply{Error: "unknown operation"})
		}
		conn.Close()
	}
}

func testStore(t *testing.T) *Store {
	t.Helper()
	return NewStore(statedir.Tree{Kind: "vm", Dir: filepath.Join(t.TempDir(), "vms")})
}

func testSpec(name string) VM {
	return VM{Name: name, Image: "i", Kernel: "k", CPUs: 1, MemoryMiB: 256, DiskBytes: 8 << 30}
}

func create(t *testing.T, s *Store, spec VM) VM {
	t.Helper()
	v, err := s.Create(context.Background(), spec, ext4test.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// start starts the VM "a", whose supervisor shows the behaviour.
func start(t *testing.T, ctx context.Context, s *Store, behaviour string) (*Lease, error) {
	t.Helper()
	return startTold(t, ctx, s, behaviour, func(string) {})
}

// startTold is start that tells what the supervisor is about.
func startTold(t *testing.T, ctx context.Context, s *Store, behaviour string, stage func(string)) (*Lease, error) {
	t.Helper()
	t.Setenv(fakeSupervisor, behaviour)
	t.Setenv("BANGER_TEST_TREE", s.tree.Dir)
	return s.Start(ctx, "a", []string{os.Args[0]}, nil, stage)
}

func TestCreate(t *testing.T) {
	s := testStore(t)
	v := create(t, s, testSpec("a"))
	got, err := s.Get("a")
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Fatalf("got %+v, %v, want %+v", got, err, v)
	}
	if got.State.Phase != Created || len(got.MachineID) != 32 {
		t.Errorf("got %+v", got)
	}
	if mac, err := net.ParseMAC(got.MAC); err != nil || mac[0]&3 != 2 {
		t.Errorf("MAC %q is not a local unicast one", got.MAC)
	}
	info, err := os.Stat(s.Path("a", statedir.Disk))
	if err != nil || info.Size() < 8<<30 {
		t.Fatalf("disk: %v, %v", info, err)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 1<<20 {
		t.Errorf("an empty disk takes %d bytes", used)
	}
	keys, err := s.Keys("a")
	if err != nil {
		t.Fatal(err)
	}
	known, _ := os.ReadFile(s.Path("a", statedir.KnownHosts))
	if !strings.HasPrefix(string(known), "a.banger ssh-ed25519 ") || !strings.HasPrefix(keys.ClientLine(), "ssh-ed25519 ") {
		t.Errorf("known_hosts %q, client %q", known, keys.ClientLine())
	}
}

func TestIdentitiesDiffer(t *testing.T) {
	s := testStore(t)
	a, b := create(t, s, testSpec("a")), create(t, s, testSpec("b"))
	keysA, _ := s.Keys("a")
	keysB, _ := s.Keys("b")
	if a.MachineID == b.MachineID || a.MAC == b.MAC || string(keysA.HostPEM) == string(keysB.HostPEM) || keysA.ClientLine() == keysB.ClientLine() {
		t.Error("two VMs share a part of their identity")
	}
}

func TestCreateRefuses(t *testing.T) {
	s := testStore(t)
	create(t, s, testSpec("taken"))
	tests := map[string]func(*VM){
		"taken":            func(v *VM) { v.Name = "taken" },
		"malformed name":   func(v *VM) { v.Name = "../x" },
		"no CPU":           func(v *VM) { v.CPUs = 0 },
		"negative CPUs":    func(v *VM) { v.CPUs = -1 },
		"too many CPUs":    func(v *VM) { v.CPUs = MaxCPUs + 1 },
		"a port twice":     func(v *VM) { v.Ports = []ports.Spec{{HostPort: 80, GuestPort: 1}, {HostPort: 80, GuestPort: 2}} },
		"connections < 0":  func(v *VM) { v.MaxConnections = -1 },
		"too many of them": func(v *VM) { v.MaxConnections = MaxConnections + 1 },
		"no memory":        func(v *VM) { v.MemoryMiB = 0 },
		"negative memory":  func(v *VM) { v.MemoryMiB = -5 },
		"no disk":          func(v *VM) { v.DiskBytes = 0 },
	}
	for what, spoil := range tests {
		spec := testSpec("new")
		spoil(&spec)
		if _, err := s.Create(context.Background(), spec, ext4test.Empty(t)); err == nil {
			t.Errorf("%s: created", what)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Create(ctx, testSpec("new"), ext4test.Empty(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	entries, _ := os.ReadDir(s.tree.Dir)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestGetAndList(t *testing.T) {
	s := testStore(t)
	create(t, s, testSpec("good"))
	if err := os.Mkdir(s.tree.Path("damaged"), 0o700); err != nil {
		t.Fatal(err)
	}
	var missing *NotFoundError
	if _, err := s.Get("goood"); !errors.As(err, &missing) || missing.Nearest != "good" {
		t.Errorf("got %v", err)
	}
	var malformed *ref.NameError
	if _, err := s.Get("../good"); !errors.As(err, &malformed) {
		t.Errorf("got %v", err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].Name != "damaged" || all[0].State.Reason == "" {
		t.Errorf("got %+v, %v", all, err)
	}
	if err := s.Remove(t.Context(), "damaged"); err != nil {
		t.Errorf("a damaged VM cannot be removed: %v", err)
	}
	if err := s.Remove(t.Context(), "damaged"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func TestDeadSupervisorIsSeen(t *testing.T) {
	s := testStore(t)
	v := create(t, s, testSpec("a"))
	v.State.Phase = Running // and nobody holds the lock
	if err := s.Save(v); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get("a")
	if err != nil || got.State.Phase != Stopped || got.State.Reason == "" {
		t.Errorf("got %+v, %v", got.State, err)
	}
	var phase *PhaseError
	if _, err := s.Dial(context.Background(), "a", 1); !errors.As(err, &phase) || phase.Phase != Stopped {
		t.Errorf("dialled: %v", err)
	}
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestStartTalkStop(t *testing.T) {
	s, ctx := testStore(t), context.Background()
	create(t, s, testSpec("a"))
	lease, err := start(t, ctx, s, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.End(); err != nil {
		t.Error(err)
	}
	var phase *PhaseError
	if _, err := start(t, ctx, s, "ready"); !errors.As(err, &phase) || phase.Phase != Running {
		t.Errorf("started twice: %v", err)
	}
	if err := s.Remove(t.Context(), "a"); !errors.As(err, &phase) {
		t.Errorf("removed while it runs: %v", err)
	}
	conn, err := s.Dial(ctx, "a", 22)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "hello")
	conn.(*LineConn).CloseWrite()
	if got, _ := io.ReadAll(conn); string(got) != "hello" {
		t.Errorf("the guest echoed %q", got)
	}
	conn.Close()
	// This supervisor does not heed a stop: its plug has to be pulled.
	var heard []string
	telling := s.Telling(func(what string) { heard = append(heard, what) })
	if killed, err := telling.Stop(ctx, "a", time.Millisecond); err != nil || !killed {
		t.Errorf("killed %v, %v", killed, err)
	}
	if len(heard) != 1 || heard[0] != "waiting for vm a: it is busy" {
		t.Errorf("heard %q", heard)
	}
	if err := s.Kill(ctx, "a"); err != nil && !errors.As(err, &phase) {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestEphemeralGoesWithItsLease(t *testing.T) {
	s := testStore(t)
	spec := testSpec("a")
	spec.Ephemeral = true
	create(t, s, spec)
	lease, err := start(t, context.Background(), s, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.End(); err != nil {
		t.Error(err)
	}
	if s.Exists("a") {
		t.Error("the VM outlived its run")
	}
}

func TestStartFailures(t *testing.T) {
	s := testStore(t)
	create(t, s, testSpec("a"))
	var fault *StartError
	_, err := start(t, context.Background(), s, "fails")
	if !errors.As(err, &fault) || fault.Message != "no guest" || fault.Hint != "do this" || len(fault.Console) != 1 {
		t.Errorf("got %#v", err)
	}
	if _, err := start(t, context.Background(), s, "dies"); !errors.As(err, &fault) {
		t.Errorf("got %#v", err)
	}
	if _, err := s.Start(context.Background(), "a", []string{"/no/such/banger"}, nil, nil); err == nil {
		t.Error("started without a supervisor")
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Setenv(fakeSupervisor, "hangs")
	t.Setenv("BANGER_TEST_TREE", s.tree.Dir)
	_, err = s.Start(ctx, "a", []string{os.Args[0]}, nil, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Errorf("a supervisor is left: %v", err)
	}
}

// Of two that start a VM, the one that comes second does not wait for the first
// one's VM to end.
func TestStartComesSecond(t *testing.T) {
	s := testStore(t)
	create(t, s, testSpec("a"))
	lock, err := s.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if _, err := start(t, t.Context(), s, "comes second"); err == nil || err.Error() != "is running" {
		t.Errorf("got %v", err)
	}
}

func TestStartIsGivenUpTooLate(t *testing.T) {
	s := testStore(t)
	create(t, s, testSpec("a"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The supervisor is at work then, and has its last word to say.
	lease, err := startTold(t, ctx, s, "ready all the same", func(string) { cancel() })
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.End(); err != nil {
		t.Error(err)
	}
}

func TestRemoveTakesNoPath(t *testing.T) {
	s := testStore(t)
	create(t, s, testSpec("a"))
	outside := filepath.Join(filepath.Dir(s.tree.Dir), "project")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../project", "..", ".", "", outside} {
		if err := s.Remove(t.Context(), name); err == nil {
			t.Errorf("%q was removed", name)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

// A supervisor that hears nothing, and its VM with it, can be ended.
func TestKillOfAFrozenSupervisor(t *testing.T) {
	s, ctx := testStore(t), t.Context()
	create(t, s, testSpec("a"))
	lease, err := start(t, ctx, s, "ready")
	if err != nil {
		t.Fatal(err)
	}
	defer lease.End()
	credentials, _, err := s.request(ctx, "a", Request{Op: OpDial})
	if err != nil {
		t.Fatal(err)
	}
	defer credentials.Close()
	freeze(t, credentials.Conn.(*net.UnixConn))
	if err := s.Kill(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	<-lease.ended
	if err := s.Remove(ctx, "a"); err != nil {
		t.Error(err)
	}
}

// One that does not end when it is let go is killed, and the VM can be removed.
func TestEndOfADeafSupervisor(t *testing.T) {
	s := testStore(t)
	create(t, s, testSpec("a"))
	lease, err := start(t, t.Context(), s, "deaf")
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.End(); err != nil { // a VM that stays lives on
		t.Error(err)
	}
	if !statedir.Locked(lease.lock) {
		t.Fatal("the supervisor is gone")
	}
	awaitEnd(lease.ended, lease.lock, time.Millisecond)
	if statedir.Locked(lease.lock) {
		t.Error("the supervisor lives on")
	}
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

// A VM whose vm.json is damaged can be ended and removed, alive or not.
func TestKillWithDamagedState(t *testing.T) {
	for _, alive := range []bool{false, true} {
		s, ctx := testStore(t), t.Context()
		create(t, s, testSpec("a"))
		if alive {
			if _, err := start(t, ctx, s, "ready"); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(s.Path("a", statedir.VMState), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Kill(ctx, "a"); err != nil {
			t.Errorf("alive %v: kill: %v", alive, err)
		}
		if err := s.Remove(ctx, "a"); err != nil {
			t.Errorf("alive %v: remove: %v", alive, err)
		}
	}
}

// freeze stops the process at the other end.
func freeze(t *testing.T, conn *net.UnixConn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		var peer *unix.Ucred
		if peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			err = syscall.Kill(int(peer.Pid), syscall.SIGSTOP)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinesAreBounded(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		io.WriteString(ours, strings.Repeat("x", maxLine+1))
		ours.Close()
	}()
	if err := NewLineConn(theirs).ReadJSON(new(Request)); !errors.Is(err, bufio.ErrBufferFull) {
		t.Errorf("a line without end: %v", err)
	}
}

// A supervisor that says nothing more is not waited for.
func TestStartOfOneThatHangsIsGivenUp(t *testing.T) {
	ours, theirs, err := SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := awaitReady(ctx, ours, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
