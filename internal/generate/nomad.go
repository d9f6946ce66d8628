package generate

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The parts of Nomad's job that are used, by the names of its API:
// https://developer.hashicorp.com/nomad/api-docs/json-jobs
type (
	nomadJob struct {
		ID         string
		Name       string
		Type       string
		TaskGroups []nomadGroup
	}
	nomadGroup struct {
		Name          string
		Count         int
		EphemeralDisk nomadDisk
		RestartPolicy nomadRestart
		Networks      []nomadNetwork         `json:",omitempty"`
		Services      []nomadService         `json:",omitempty"`
		Volumes       map[string]nomadVolume `json:",omitempty"`
		Tasks         []nomadTask
	}
	nomadRestart struct {
		Attempts int
		Interval int64
		Delay    int64
		Mode     string
	}
	nomadDisk    struct{ SizeMB int }
	nomadNetwork struct{ DynamicPorts []nomadPort }
	nomadPort    struct {
		Label string
		To    int
	}
	nomadService struct {
		Name      string
		PortLabel string
		Provider  string
		Checks    []nomadCheck `json:",omitempty"`
	}
	nomadCheck struct {
		Type     string
		Interval int64
		Timeout  int64
	}
	nomadVolume struct {
		Type   string
		Source string
	}
	nomadTask struct {
		Name         string
		Driver       string
		Config       nomadConfig
		Resources    nomadResources
		KillTimeout  int64
		VolumeMounts []nomadMount `json:",omitempty"`
	}
	nomadConfig struct {
		Image       string        `json:"image"`
		Args        []string      `json:"args"`
		Ports       []string      `json:"ports,omitempty"`
		Devices     []nomadDevice `json:"devices,omitempty"`
		CapDrop     []string      `json:"cap_drop"`
		SecurityOpt []string      `json:"security_opt"`
	}
	nomadDevice struct {
		HostPath      string `json:"host_path"`
		ContainerPath string `json:"container_path"`
	}
	nomadResources struct {
		CPU      int
		MemoryMB int
	}
	nomadMount struct {
		Volume      string
		Destination string
	}
)

// second is Nomad's, in nanoseconds.
const second = 1e9

// cpuShares is a processor in Nomad's MHz, of which it has no other measure that
// a machine of any kind can give.
const cpuShares = 1000

// nomad writes a job in Nomad's JSON, for its docker driver: nomad job run -json.
func (j Job) nomad() (string, error) {
	name := label(j.Name)
	task := nomadTask{
		Name: "vm", Driver: "docker", KillTimeout: stopTime * second,
		Config:    nomadConfig{Image: template(j.Image), CapDrop: []string{"all"}, SecurityOpt: []string{"no-new-privileges"}},
		Resources: nomadResources{CPU: j.CPUs * cpuShares, MemoryMB: j.memory()},
	}
	for _, word := range j.Command {
		task.Config.Args = append(task.Config.Args, template(word))
	}
	if j.KVM != "" {
		task.Config.Devices = []nomadDevice{{"/dev/kvm", "/dev/kvm"}}
	}
	group := nomadGroup{Name: name, Count: max(j.Replicas, 1), RestartPolicy: j.nomadRestart()}
	group.EphemeralDisk.SizeMB = int(j.DiskBytes >> 20)
	var network nomadNetwork
	for _, p := range j.Ports {
		port := fmt.Sprintf("%s-%d", p.Protocol, p.GuestPort)
		network.DynamicPorts = append(network.DynamicPorts, nomadPort{port, int(inside(p))})
		task.Config.Ports = append(task.Config.Ports, port)
		service := nomadService{Name: name + "-" + port, PortLabel: port, Provider: "nomad"}
		if p.Protocol == "tcp" {
			service.Checks = []nomadCheck{{"tcp", probeTime * second, probeTime * second}}
		}
		group.Services = append(group.Services, service)
	}
	if len(j.Ports) > 0 {
		group.Networks = []nomadNetwork{network}
	}
	if j.VolumeBytes > 0 {
		group.Volumes = map[string]nomadVolume{"volumes": {"host", name + "-volumes"}}
		task.VolumeMounts = []nomadMount{{"volumes", volumesDir}}
	}
	group.Tasks = []nomadTask{task}
	job := nomadJob{ID: name, Name: name, Type: "batch", TaskGroups: []nomadGroup{group}}
	if j.Restart == Always {
		job.Type = "service"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(struct{ Job nomadJob }{job})
	return b.String(), err
}

func (j Job) nomadRestart() nomadRestart {
	switch j.Restart {
	case Never:
		return nomadRestart{0, 1800 * second, restartTime * second, "fail"}
	case OnFailure:
		return nomadRestart{3, 1800 * second, restartTime * second, "fail"}
	}
	return nomadRestart{3, 1800 * second, restartTime * second, "delay"}
}

// template is a string of a driver's configuration, which is a template of HCL's.
func template(text string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
}
