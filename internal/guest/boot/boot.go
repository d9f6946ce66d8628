// Package boot is the agent as PID 1: from the initramfs to the image's own
// init, or to staying PID 1 where the image has none.
//
// The image is never written to. What fails is fatal where no host could reach
// the guest without it, and a warning for the host everywhere else.
package boot

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"banger/internal/agentapi"
	"banger/internal/guest/console"
	"banger/internal/guest/entropy"
	"banger/internal/guest/identity"
	"banger/internal/guest/initsys"
	"banger/internal/guest/network"
	"banger/internal/guest/service"
	"banger/internal/guest/trust"
	"banger/internal/guest/uevents"
)

// boot is a boot under way.
type boot struct {
	settings agentapi.Settings
	disk     *disk
	warnings []string
}

// Run boots the guest; args are for the image's init. It returns only an error
// that ends the boot.
func Run(args []string) error {
	if err := mountAll(early); err != nil {
		return err
	}
	if err := checkTimer(interrupts); err != nil {
		return err
	}
	agent, err := service.Start()
	if err != nil {
		return fmt.Errorf("start the service: %w", err)
	}
	var b boot
	if err := b.findRoot(); err != nil {
		return err
	}
	processorsUp := make(chan error, 1)
	go func() { processorsUp <- startProcessors(processors) }()
	networkUp := make(chan error, 1)
	go func() {
		err := network.Up(b.settings.MAC, agentapi.GuestIP, agentapi.GatewayIP, agentapi.PrefixLen, agentapi.MTU)
		if err == nil {
			err = network.SetAddresses(b.settings.MAC, b.settings.Networks)
		}
		networkUp <- err
	}()
	if err := b.enterRoot(); err != nil {
		return err
	}
	var init initsys.Init
	if !b.settings.NoInit {
		init = initsys.Detect("/")
	}
	if err := mountSystem(init); err != nil {
		return err
	}
	if err := b.mountVolumes(); err != nil {
		return err
	}
	b.furnish(init)
	b.warn("set up swap", startSwap(b.settings.Swap))
	b.warn("leave AppArmor out", hideAppArmor("/"))
	if err := <-networkUp; err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	b.warn("start all processors", <-processorsUp)
	polite, err := stopSignal(b.settings.StopSignal)
	b.warn("find the image's stop signal", err)
	err = agent.Configure(service.Config{Settings: b.settings, Init: init, Warnings: b.warnings})
	if err != nil {
		return fmt.Errorf("configure the service: %w", err)
	}
	if init.Path == "" {
		console.Log("there is no init to run")
		return stay(agent.PID, polite)
	}
	console.Log("handing over to %s (%s)", init.Path, init.Name)
	err = syscall.Exec(init.Path, append([]string{init.Path}, args...), os.Environ())
	return fmt.Errorf("run %s: %w", init.Path, err)
}

// findRoot makes the block devices of the root appear.
func (b *boot) findRoot() error {
	data, err := os.ReadFile("/" + agentapi.SettingsPath)
	if err == nil {
		err = json.Unmarshal(data, &b.settings)
	}
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	events, err := uevents.Listen()
	if err != nil {
		return fmt.Errorf("listen for devices: %w", err)
	}
	defer events.Close()
	if err := loadModules(b.settings.Modules); err != nil {
		return err
	}
	if b.settings.Swap != nil {
		b.warn("load what swap takes", loadModules(b.settings.Swap.Modules))
	}
	for _, device := range devices(b.settings) {
		if err := events.Await(deviceTimeout, func() bool { return device == "" || exists(device) }); err != nil {
			return fmt.Errorf("wait for %s: %w", device, err)
		}
	}
	console.Log("root's devices are there")
	b.warn("seed the random pool", entropy.Credit(b.settings.Seed))
	return nil
}

// deviceTimeout is for hosts under heavy load; devices are there at once else.
const deviceTimeout = 30 * time.Second

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func devices(s agentapi.Settings) []string {
	all := []string{s.Root.Image, s.Root.Disk, s.Root.Modules}
	for _, v := range s.Volumes {
		all = append(all, v.Device)
	}
	return all
}

// furnish does all that the guest can be reached without.
func (b *boot) furnish(init initsys.Init) {
	root := b.settings.Root
	if root.Modules != "" {
		b.warn("mount the kernel's modules", mountModules(root.Modules, root.KernelRelease))
	}
	b.warn("set the hostname", syscall.Sethostname([]byte(b.settings.Hostname)))
	first := !b.disk.lived
	if first {
		for _, err := range identity.Apply("/", b.settings) {
			b.warn("set the guest's identity", err)
		}
	} else if b.settings.Copied {
		for _, err := range identity.Renew("/", b.settings) {
			b.warn("renew the guest's identity", err)
		}
	}
	for _, err := range trust.Apply("/", b.settings.Secrets) {
		b.warn("trust the authority of this VM's secrets", err)
	}
	b.warn("tell systemd about this machine", init.Furnish("/run"))
	if slices.ContainsFunc(b.settings.Mounts, func(m agentapi.Mount) bool { return strings.HasPrefix(m.Target, "/tmp/") }) {
		b.warn("keep what is mounted below /tmp", init.KeepTmp("/run"))
	}
	if first {
		b.warn("note the first boot", b.disk.endFirstBoot())
	}
}

// warn keeps err, if there is one, for the host.
func (b *boot) warn(doing string, err error) {
	if err == nil {
		return
	}
	line := fmt.Sprintf("%s: %v", doing, err)
	console.Log("warning: %s", line)
	b.warnings = append(b.warnings, line)
}
