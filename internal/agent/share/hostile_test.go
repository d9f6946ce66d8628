package share

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// badNames are none of a file in a directory.
var badNames = map[string]any{
	"empty":          "",
	"dot":            ".",
	"parent":         "..",
	"above":          "../secret",
	"absolute":       "/etc/passwd",
	"a path":         "dir/file",
	"with a slash":   "dir/",
	"with a zero":    raw("a\x00b\x00"),
	"without an end": raw("file"),
	"too long":       strings.Repeat("n", 256),
	"much too long":  strings.Repeat("n", 100<<10),
	"nothing at all": raw(""),
}

// byName are the operations on a name, with what comes before and behind it.
var byName = map[string]func(name any) (op uint32, parts []any){
	"lookup": func(n any) (uint32, []any) { return opLookup, []any{n} },
	"mknod": func(n any) (uint32, []any) {
		return opMknod, []any{uint32(unix.S_IFREG | 0o644), uint32(0), uint32(0), uint32(0), n}
	},
	"mkdir":        func(n any) (uint32, []any) { return opMkdir, []any{uint32(0o755), uint32(0), n} },
	"unlink":       func(n any) (uint32, []any) { return opUnlink, []any{n} },
	"rmdir":        func(n any) (uint32, []any) { return opRmdir, []any{n} },
	"symlink":      func(n any) (uint32, []any) { return opSymlink, []any{n, "target"} },
	"rename from":  func(n any) (uint32, []any) { return opRename2, []any{uint64(rootID), uint64(0), n, "new"} },
	"rename to":    func(n any) (uint32, []any) { return opRename2, []any{uint64(rootID), uint64(0), "file", n} },
	"rename of v1": func(n any) (uint32, []any) { return opRename, []any{uint64(rootID), n, "new"} },
	"create": func(n any) (uint32, []any) {
		return opCreate, []any{uint32(unix.O_RDWR), uint32(0o644), uint32(0), uint32(0), n}
	},
	"link": func(n any) (uint32, []any) { return opLink, []any{uint64(2), n} },
}

// outside is a directory with one to serve in it, and what it must not lead to.
func outside(t *testing.T) (dir string, check func()) {
	t.Helper()
	top := files(t, map[string]string{
		"secret": "secret", "private/key": "secret",
		"served/file": "content", "served/dir/file": "below", "served/script": "#!",
		"served/out": "->../secret", "served/outdir": "->../private", "served/absolute": "->/etc/passwd",
		"served/dangling": "->../made", "served/loop": "->loop", "served/self": "->/proc/self/fd/3",
	})
	dir = filepath.Join(top, "served")
	for name, kind := range map[string]uint32{"fifo": unix.S_IFIFO, "socket": unix.S_IFSOCK} {
		if err := unix.Mknod(filepath.Join(dir, name), kind|0o666, 0); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func() {
		t.Helper()
		entries, _ := os.ReadDir(top)
		key, _ := os.ReadFile(filepath.Join(top, "private/key"))
		secret, _ := os.ReadFile(filepath.Join(top, "secret"))
		private, _ := os.ReadDir(filepath.Join(top, "private"))
		if len(entries) != 3 || len(private) != 1 || string(key) != "secret" || string(secret) != "secret" {
			t.Error("something outside has changed")
		}
	}
}

// alive fails where the server does not answer as before.
func (g *guest) alive() {
	g.t.Helper()
	if errno, _ := g.ask(opGetattr, rootID, make([]byte, 16)); errno != 0 {
		g.t.Errorf("the directory is lost: %v", errno)
	}
}

func TestHostileNames(t *testing.T) {
	dir, check := outside(t)
	g := mounted(t, dir, Options{})
	g.lookup("file")
	for what, name := range badNames {
		for by, message := range byName {
			op, parts := message(name)
			if errno, _ := g.ask(op, rootID, parts...); errno == 0 {
				t.Errorf("%s, a name that is %s: it was granted", by, what)
			}
		}
	}
	g.alive()
	check()
}

// noNode are numbers that the guest was never given.
var noNode = []uint64{0, 2, 3, 1 << 32, math.MaxInt64, math.MaxUint64}

// onNode are messages on a node, whichever it is.
var onNode = map[uint32][]any{
	opLookup: {"file"}, opGetattr: {make([]byte, 16)}, opSetattr: {make([]byte, 88)}, opReadlink: {},
	opSymlink: {"n", "t"}, opMknod: {uint32(unix.S_IFREG | 0o644), make([]byte, 12), "n"}, opMkdir: {make([]byte, 8), "n"},
	opUnlink: {"file"}, opRmdir: {"dir"}, opRename: {uint64(1), "a", "b"}, opRename2: {uint64(1), uint64(0), "a", "b"}, opLink: {uint64(1), "n"},
	opOpen: {make([]byte, 8)}, opOpendir: {make([]byte, 8)}, opCreate: {make([]byte, 16), "n"}, opTmpfile: {make([]byte, 16), "/"},
	opSetxattr: {uint32(1), uint32(0), "user.n", raw("v")}, opGetxattr: {uint32(9), uint32(0), "user.n"},
	opListxattr: {uint32(9), uint32(0)}, opRemovexattr: {"user.n"},
	opRead: readBody(1, 0, 10), opWrite: writeBody(1, 0, 1, "x"), opReaddir: readBody(1, 0, 4096), opReaddirplus: readBody(1, 0, 4096),
	opRelease: {uint64(1), make([]byte, 16)}, opReleasedir: {uint64(1), make([]byte, 16)},
	opFsync: {uint64(1), make([]byte, 8)}, opFsyncdir: {uint64(1), make([]byte, 8)},
	opFallocate: {uint64(1), make([]byte, 24)}, opLseek: {uint64(1), uint64(0), uint32(unix.SEEK_DATA), uint32(0)},
	opCopyFileRange: {uint64(1), uint64(0), uint64(2), uint64(2), uint64(0), uint64(9), uint64(0)},
}

func TestHostileNumbers(t *testing.T) {
	dir, check := outside(t)
	g := mounted(t, dir, Options{})
	for _, node := range noNode {
		for op, parts := range onNode {
			errno, _ := g.ask(op, node, parts...)
			if quiet := op == opRelease || op == opReleasedir; errno == 0 && !quiet {
				t.Errorf("operation %d on node %d was granted", op, node)
			}
		}
		g.say(g.pack(opForget, node, uint64(math.MaxUint64)))
		g.say(g.pack(opBatchForget, node, uint32(1), uint32(0), node, uint64(math.MaxUint64)))
	}
	g.alive()
	check()
}

func TestHostileHandles(t *testing.T) {
	dir, check := outside(t)
	g := mounted(t, dir, Options{})
	file, script := g.lookup("file"), g.lookup("script")
	fh := g.open(opOpen, file, unix.O_RDWR)
	dh := g.open(opOpendir, rootID, 0)
	for name, tt := range map[string]struct {
		op    uint32
		node  uint64
		parts []any
	}{
		"read another file's":      {opRead, script, readBody(fh, 0, 10)},
		"read a directory's":       {opRead, rootID, readBody(dh, 0, 10)},
		"list a file's":            {opReaddir, file, readBody(fh, 0, 4096)},
		"read none's":              {opRead, file, readBody(99, 0, 10)},
		"read the largest":         {opRead, file, readBody(math.MaxUint64, 0, 10)},
		"read before the start":    {opRead, file, readBody(fh, 1<<63, 10)},
		"read more than may be":    {opRead, file, readBody(fh, 0, maxData+1)},
		"read 4 GiB":               {opRead, file, readBody(fh, 0, math.MaxUint32)},
		"list 4 GiB":               {opReaddirplus, rootID, readBody(dh, 0, math.MaxUint32)},
		"list from before":         {opReaddir, rootID, readBody(dh, 1<<63, 4096)},
		"write another file's":     {opWrite, script, writeBody(fh, 0, 1, "x")},
		"write before the start":   {opWrite, file, writeBody(fh, 1<<63, 1, "x")},
		"write more than is there": {opWrite, file, writeBody(fh, 0, 4096, "x")},
		"write less than is there": {opWrite, file, writeBody(fh, 0, 1, "xyz")},
		"allocate without end":     {opFallocate, file, []any{fh, uint64(0), uint64(math.MaxUint64), uint64(0)}},
		"allocate another's":       {opFallocate, script, []any{fh, uint64(0), uint64(9), uint64(0)}},
		"seek from here":           {opLseek, file, []any{fh, uint64(0), uint32(unix.SEEK_CUR), uint32(0)}},
		"seek to before":           {opLseek, file, []any{fh, uint64(1 << 63), uint32(unix.SEEK_DATA), uint32(0)}},
		"copy to none":             {opCopyFileRange, file, []any{fh, uint64(0), script, uint64(77), uint64(0), uint64(9), uint64(0)}},
		"copy by flags":            {opCopyFileRange, file, []any{fh, uint64(0), file, fh, uint64(0), uint64(9), uint64(1)}},
		"sync a directory's":       {opFsync, rootID, []any{dh, uint64(0)}},
		"sync a file's":            {opFsyncdir, file, []any{fh, uint64(0)}},
	} {
		if errno, _ := g.ask(tt.op, tt.node, tt.parts...); errno == 0 {
			t.Errorf("%s: it was granted", name)
		}
	}
	for range 3 { // more than once, and another's
		g.ask(opRelease, script, fh, make([]byte, 16))
		g.ask(opRelease, file, fh, make([]byte, 16))
		g.ask(opReleasedir, rootID, dh, make([]byte, 16))
	}
	if errno, _ := g.ask(opRead, file, readBody(fh, 0, 10)...); errno != unix.EBADF {
		t.Errorf("a file that was closed: %v", errno)
	}
	g.alive()
	check()
}

func attrs(valid uint32, size uint64, mode uint32) []any {
	return []any{valid, uint32(0), uint64(0), size, uint64(0), uint64(0), uint64(0), uint64(0), uint32(math.MaxUint32), uint32(math.MaxUint32), uint32(0), mode, uint32(0), uint32(0), uint32(0), uint32(0)}
}

func TestHostileRequests(t *testing.T) {
	dir, check := outside(t)
	g := mounted(t, dir, Options{})
	node := map[string]uint64{"": rootID}
	for _, name := range []string{"file", "dir", "out", "outdir", "absolute", "dangling", "loop", "self", "fifo", "socket"} {
		node[name] = g.lookup(name)
	}
	create := func(name string) []any { return []any{uint32(unix.O_RDWR | unix.O_TRUNC), make([]byte, 12), name} }
	extended := g.pack(opGetattr, rootID, make([]byte, 16))
	binary.LittleEndian.PutUint16(extended[36:], 1)
	for name, tt := range map[string]struct {
		op    uint32
		node  string
		parts []any
	}{
		"open a link that leads out":    {opOpen, "out", []any{uint64(unix.O_RDWR)}},
		"open an absolute one":          {opOpen, "absolute", []any{uint64(0)}},
		"open one to a descriptor":      {opOpen, "self", []any{uint64(0)}},
		"open a link to itself":         {opOpen, "loop", []any{uint64(0)}},
		"list a link's directory":       {opOpendir, "outdir", []any{uint64(0)}},
		"look into a link's directory":  {opLookup, "outdir", []any{"key"}},
		"make in a link's directory":    {opCreate, "outdir", create("new")},
		"remove in a link's directory":  {opUnlink, "outdir", []any{"key"}},
		"create over a link":            {opCreate, "", create("dangling")},
		"create over one that leads":    {opCreate, "", create("out")},
		"truncate by a link":            {opSetattr, "out", attrs(1<<3, 0, 0)},
		"chmod by a link":               {opSetattr, "out", attrs(1<<0, 0, 0o777)},
		"attributes of a link":          {opSetxattr, "out", []any{uint32(1), uint32(0), "user.n", raw("v")}},
		"open a pipe":                   {opOpen, "fifo", []any{uint64(0)}},
		"open a pipe to write":          {opOpen, "fifo", []any{uint64(unix.O_WRONLY)}},
		"create over a pipe":            {opCreate, "", create("fifo")},
		"open a socket":                 {opOpen, "socket", []any{uint64(0)}},
		"open a directory":              {opOpen, "dir", []any{uint64(0)}},
		"list a file":                   {opOpendir, "file", []any{uint64(0)}},
		"a character device":            {opMknod, "", []any{uint32(unix.S_IFCHR | 0o666), uint32(0x103), uint64(0), "null"}},
		"a block device":                {opMknod, "", []any{uint32(unix.S_IFBLK | 0o666), uint32(0x800), uint64(0), "sda"}},
		"a file of no kind":             {opMknod, "", []any{uint32(0xf000), uint32(0), uint64(0), "odd"}},
		"a link of a directory":         {opLink, "", []any{node["dir"], "hard"}},
		"a directory into itself":       {opRename2, "", []any{node["dir"], uint64(0), "dir", "in"}},
		"a rename with a whiteout":      {opRename2, "", []any{uint64(rootID), uint64(4), "file", "new"}},
		"a rename by any flags":         {opRename2, "", []any{uint64(rootID), uint64(0xfffffff0), "file", "new"}},
		"a link of a long target":       {opSymlink, "", []any{"long", strings.Repeat("t", 5000)}},
		"a link of an empty target":     {opSymlink, "", []any{"long", ""}},
		"a size below none":             {opSetattr, "file", attrs(1<<3, math.MaxUint64, 0)},
		"a size of a directory":         {opSetattr, "dir", attrs(1<<3, 0, 0)},
		"a security attribute":          {opSetxattr, "file", []any{uint32(1), uint32(0), "security.capability", raw("v")}},
		"a trusted attribute":           {opSetxattr, "file", []any{uint32(1), uint32(0), "trusted.overlay.opaque", raw("y")}},
		"an access list":                {opSetxattr, "file", []any{uint32(1), uint32(0), "system.posix_acl_access", raw("v")}},
		"the server's own attribute":    {opSetxattr, "file", []any{uint32(3), uint32(0), "user.banger.owner", raw("0:0")}},
		"removing the server's own":     {opRemovexattr, "file", []any{"user.banger.owner"}},
		"reading the server's own":      {opGetxattr, "file", []any{uint32(100), uint32(0), "user.banger.owner"}},
		"an attribute of a long name":   {opGetxattr, "file", []any{uint32(100), uint32(0), "user." + strings.Repeat("n", 300)}},
		"an attribute without a name":   {opGetxattr, "file", []any{uint32(100), uint32(0), ""}},
		"a value of 4 GiB":              {opGetxattr, "file", []any{uint32(math.MaxUint32), uint32(0), "user.n"}},
		"a list of 4 GiB":               {opListxattr, "file", []any{uint32(math.MaxUint32), uint32(0)}},
		"a value that is not there":     {opSetxattr, "file", []any{uint32(100), uint32(0), "user.n", raw("v")}},
		"a value that is more":          {opSetxattr, "file", []any{uint32(0), uint32(0), "user.n", raw("v")}},
		"a second greeting":             {opInit, "", []any{uint32(7), uint32(40), uint64(0)}},
		"a look at too many names":      {opLookup, "", []any{"file", "dir"}},
		"too few numbers":               {opGetattr, "", []any{uint32(0)}},
		"too many numbers":              {opGetattr, "", []any{make([]byte, 24)}},
		"an ioctl":                      {39, "file", []any{uint64(0), uint32(0), uint32(0), uint64(0), uint32(0), uint32(math.MaxUint32)}},
		"a lock":                        {31, "file", []any{make([]byte, 48)}},
		"a poll":                        {40, "file", []any{make([]byte, 24)}},
		"an interrupt":                  {36, "", []any{uint64(1)}},
		"an answer to nobody":           {41, "", []any{make([]byte, 40)}},
		"a block's number":              {37, "file", []any{uint64(0), uint64(0)}},
		"shared memory":                 {48, "file", []any{make([]byte, 40)}},
		"a character device's greeting": {4096, "", []any{make([]byte, 16)}},
		"no operation":                  {0, "", nil},
		"the library's own lookup":      {opLookup, "", []any{".go-fuse-epoll-hack"}},
	} {
		if errno, _ := g.ask(tt.op, node[tt.node], tt.parts...); errno == 0 {
			t.Errorf("%s: it was granted", name)
		}
	}
	g.say(extended)
	if errno, _ := g.hearOf(extended); errno != unix.EINVAL {
		t.Errorf("a message with extensions: %v", errno)
	}
	g.alive()
	check()
}

// hearOf reads the answer to a message that was packed before others.
func (g *guest) hearOf(m message) (unix.Errno, []byte) {
	unique := g.unique
	defer func() { g.unique = unique }()
	g.unique = m.unique()
	return g.hear()
}

// What would lend the host's user to somebody is never set.
func TestNothingIsLent(t *testing.T) {
	dir, _ := outside(t)
	g := mounted(t, dir, Options{})
	g.must(opSetattr, g.lookup("script"), attrs(1<<0, 0, 0o6755)...)
	g.must(opCreate, rootID, uint32(unix.O_RDWR), uint32(unix.S_IFREG|0o6755), uint64(0), "made")
	g.must(opMknod, rootID, uint32(unix.S_IFREG|0o6755), uint32(0), uint64(0), "node")
	for _, name := range []string{"script", "made", "node"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// A stream that is none ends, and the server with it.
func TestHostileStreams(t *testing.T) {
	short := func(n uint32) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, n), make([]byte, 200)...)
	}
	for name, text := range map[string][]byte{
		"no length":       short(0),
		"a short message": short(headSize - 1),
		"a long message":  short(maxMessage + 1),
		"4 GiB":           short(math.MaxUint32),
		"text":            []byte("GET / HTTP/1.1\r\nHost: host\r\n\r\n"),
	} {
		for _, greeted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, greeted), func(t *testing.T) {
				dir, check := outside(t)
				g := connect(t, dir, Options{})
				if greeted {
					g.must(opInit, 0, uint32(7), uint32(40), uint64(0))
				}
				g.conn.Write(text)
				err := <-g.ended
				if err == nil {
					t.Error("it was no error")
				}
				g.ended <- err
				check()
			})
		}
	}
}

// Before the greeting nothing is served.
func TestGreetingComesFirst(t *testing.T) {
	dir, _ := outside(t)
	g := connect(t, dir, Options{})
	if errno, _ := g.ask(opLookup, rootID, "file"); errno == 0 {
		t.Error("it was granted")
	}
	for _, major := range []uint32{0, 6} {
		g := connect(t, dir, Options{})
		if errno, _ := g.ask(opInit, 0, major, uint32(0), uint64(0)); errno == 0 {
			t.Errorf("version %d was taken", major)
		}
	}
}

// Every change of a directory that is only to be read is refused.
func TestReadOnly(t *testing.T) {
	dir, check := outside(t)
	g := mounted(t, dir, Options{ReadOnly: true})
	file := g.lookup("file")
	for op, parts := range map[uint32][]any{
		opSetattr: attrs(1<<0, 0, 0o777), opSymlink: {"n", "t"}, opMknod: {uint32(unix.S_IFREG | 0o644), make([]byte, 12), "n"},
		opMkdir: {make([]byte, 8), "n"}, opUnlink: {"file"}, opRmdir: {"dir"}, opRename: {uint64(1), "file", "b"},
		opRename2: {uint64(1), uint64(0), "file", "b"}, opLink: {file, "n"}, opCreate: {make([]byte, 16), "n"}, opTmpfile: {make([]byte, 16), "/"},
		opSetxattr: {uint32(1), uint32(0), "user.n", raw("v")}, opRemovexattr: {"user.n"},
	} {
		if errno, _ := g.ask(op, rootID, parts...); errno != unix.EROFS {
			t.Errorf("operation %d: %v", op, errno)
		}
	}
	for _, flags := range []uint32{unix.O_WRONLY, unix.O_RDWR, unix.O_RDONLY | unix.O_TRUNC} {
		if errno, _ := g.ask(opOpen, file, flags, uint32(0)); errno != unix.EROFS {
			t.Errorf("open by %#x: %v", flags, errno)
		}
	}
	fh := g.open(opOpen, file, unix.O_RDONLY)
	for op, parts := range map[uint32][]any{
		opWrite: writeBody(fh, 0, 1, "x"), opFallocate: {fh, uint64(0), uint64(9), uint64(0)},
		opCopyFileRange: {fh, uint64(0), file, fh, uint64(0), uint64(9), uint64(0)},
	} {
		if errno, _ := g.ask(op, file, parts...); errno != unix.EROFS {
			t.Errorf("operation %d: %v", op, errno)
		}
	}
	if got := g.must(opRead, file, readBody(fh, 0, 100)...); string(got) != "content" {
		t.Errorf("read %q", got)
	}
	check()
}
