package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mountImage is an image with sshfs and git.
const mountImage = "bench-mount"

// onFiles are what people do in a directory of the host's, which holds a repository of
// 10,000 files and a tar of 2,000.
var onFiles = []struct{ name, script string }{
	{"write 100 MiB", "dd if=/dev/zero of=$dir/large bs=1M count=100 conv=fsync"},
	{"read them", "cat $dir/large >/dev/null"},
	{"git status of 10,000 files", "cd $dir/repo && git status"},
	{"git status again", "cd $dir/repo && git status"},
	{"unpack a tar of 2,000 files", "mkdir -p $dir/out$dir && tar -C $dir/out$dir -xf $dir/source.tar"},
	{"remove them", "rm -rf $dir/out$dir"},
}

// again is what is done with what the one before has left in the caches.
const again = "git status again"

// mount compares a mount with sshfs, from the same guest to the same host by Debian's
// packages, and with the guest's own disk.
func (b bench) mount(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bench-mount-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	shared := filepath.Join(dir, "shared")
	if err := fillShared(shared); err != nil {
		return err
	}
	port, stop, err := startSSHD(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	me, err := user.Current()
	if err != nil {
		return err
	}
	script := "mkdir -p /s /d; cp /m/.key /root/key; chmod 600 /root/key\n" +
		fmt.Sprintf("sshfs -p %d -o IdentityFile=/root/key,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null %s@host.banger.internal:%s /s\n", port, me.Username, shared) +
		"tar -C /d -xf /m/all.tar; cp /m/source.tar /d\nexport GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'\n"
	rounds := min(b.pairs, rootPairs)
	script += timedOnFiles(rounds)
	if err := os.Rename(filepath.Join(dir, "client"), filepath.Join(shared, ".key")); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, b.banger, "-q", "vm", "run", "--rm", "--image", mountImage, "--kernel", b.kernel,
		"--memory", "2G", "--host-loopback", "--mount", shared+":/m", "--", "sh", "-ec", script).Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return printMount(strings.Fields(string(out)), rounds)
}

// timedOnFiles does each chore in each place, in turn.
func timedOnFiles(rounds int) (script string) {
	for range rounds {
		for _, c := range onFiles {
			for _, where := range []string{"/m", "/s", "/d"} {
				if c.name != again {
					script += "sync; echo 3 >/proc/sys/vm/drop_caches; "
				}
				script += "dir=" + where + "; begin=$(date +%s%N); ( " + c.script + " ) >/dev/null 2>&1; echo $(($(date +%s%N) - begin))\n"
			}
		}
	}
	return script
}

// printMount prints medians, of the mount, of sshfs and of the disk.
func printMount(fields []string, rounds int) error {
	if len(fields) != 3*rounds*len(onFiles) {
		return fmt.Errorf("the guest timed %d chores", len(fields))
	}
	times := make([][3]sample, len(onFiles))
	for i, field := range fields {
		ns, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return err
		}
		of := &times[i/3%len(onFiles)][i%3]
		*of = append(*of, time.Duration(ns))
	}
	fmt.Println("a mount, sshfs, the guest's own disk; how much longer sshfs takes:")
	for i, c := range onFiles {
		t := times[i]
		fmt.Printf("  %-30s %8v %8v %8v %6.2f\n", c.name, t[0].median().Round(time.Millisecond), t[1].median().Round(time.Millisecond),
			t[2].median().Round(time.Millisecond), ratio(t[1], t[0]))
	}
	return nil
}

// fillShared makes what is worked on.
func fillShared(dir string) error {
	for _, args := range [][]string{
		{"sh", "-ec", `mkdir -p "$1/repo" && cd "$1/repo" && git init -q .
			for d in $(seq 100); do mkdir d$d; for f in $(seq 100); do echo "file $f of $d" > d$d/f$f; done; :; done
			git add . && git -c user.name=b -c user.email=b@localhost commit -qm files; git gc -q
			tar -C "$1" --owner=0 --group=0 -cf "$1/all.tar" repo
			tar -C "$1/repo" --owner=0 --group=0 -cf "$1/source.tar" $(seq -f d%g 20)`, "fill", dir},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

// startSSHD runs OpenSSH's server on the loopback, for the key client in dir.
func startSSHD(ctx context.Context, dir string) (port int, stop func(), err error) {
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		return 0, nil, errors.New("sshfs needs a server: install openssh-server")
	}
	for _, key := range []string{"host", "client"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput(); err != nil {
			return 0, nil, fmt.Errorf("%w: %s", err, out)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	port = listener.Addr().(*net.TCPAddr).Port // free a moment later, and most likely still
	listener.Close()
	config := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/client.pub\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n", port, dir, dir)
	file := filepath.Join(dir, "sshd_config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return 0, nil, err
	}
	server := exec.CommandContext(ctx, sshd, "-D", "-e", "-f", file)
	if err := server.Start(); err != nil {
		return 0, nil, err
	}
	return port, func() { server.Process.Kill(); server.Wait() }, nil
}
