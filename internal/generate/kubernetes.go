package generate

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// object and list are Kubernetes' own, see
// https://kubernetes.io/docs/reference/kubernetes-api/
type (
	object = map[string]any
	list   = []any
)

// containerUser is who banger is in its container, see images/banger/Dockerfile.
const containerUser = 1000

// kubernetes writes a Deployment of what runs always, and a Job of what ends; a
// Service where there are ports, and a claim where there are volumes.
func (j Job) kubernetes() (string, error) {
	name := label(j.Name)
	labels := object{"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "banger"}
	meta := func(name string) object { return object{"name": name, "labels": labels} }
	replicas := max(j.Replicas, 1)
	workload := object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(name)}
	spec := object{"replicas": replicas, "selector": object{"matchLabels": labels}}
	if j.VolumeBytes > 0 {
		spec["strategy"] = object{"type": "Recreate"} // two at a time cannot write to a volume
	}
	if j.Restart != Always {
		workload["apiVersion"], workload["kind"] = "batch/v1", "Job"
		spec = object{"completions": replicas, "parallelism": replicas, "backoffLimit": 0}
		if j.Restart == OnFailure {
			spec["backoffLimit"] = 6
		}
	}
	spec["template"] = object{"metadata": object{"labels": labels}, "spec": j.pod(name)}
	workload["spec"] = spec
	documents := list{workload}
	if len(j.Ports) > 0 {
		documents = append(documents, object{"apiVersion": "v1", "kind": "Service", "metadata": meta(name),
			"spec": object{"selector": labels, "ports": j.servicePorts()}})
	}
	if j.VolumeBytes > 0 {
		documents = append(documents, object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta(name + "-volumes"),
			"spec": object{"accessModes": list{"ReadWriteOnce"}, "resources": object{"requests": object{"storage": bytesOf(j.VolumeBytes)}}}})
	}
	text := bytes.NewBufferString("# Written by banger generate kubernetes.\n")
	e := yaml.NewEncoder(text)
	e.SetIndent(2)
	for _, d := range documents {
		if err := e.Encode(d); err != nil {
			return "", err
		}
	}
	err := e.Close()
	return text.String(), err
}

func (j Job) pod(name string) object {
	volumes := list{object{"name": "vms", "emptyDir": object{"sizeLimit": bytesOf(j.DiskBytes + diskOverhead)}}}
	if j.VolumeBytes > 0 {
		volumes = append(volumes, object{"name": "volumes", "persistentVolumeClaim": object{"claimName": name + "-volumes"}})
	}
	return object{
		"restartPolicy":                 map[Restart]string{Never: "Never", OnFailure: "OnFailure", Always: "Always"}[j.Restart],
		"terminationGracePeriodSeconds": stopTime,
		"automountServiceAccountToken":  false,
		"enableServiceLinks":            false,
		"securityContext": object{
			"runAsNonRoot": true, "runAsUser": containerUser, "runAsGroup": containerUser, "fsGroup": containerUser,
			"seccompProfile": object{"type": "RuntimeDefault"},
		},
		"volumes":    volumes,
		"containers": list{j.container()},
	}
}

// diskOverhead is what a VM has on its host beside what its guest wrote: its logs.
const diskOverhead = 256 << 20

func (j Job) container() object {
	args := list{}
	for _, word := range j.Command {
		args = append(args, strings.ReplaceAll(word, "$", "$$")) // of which the kubelet makes one
	}
	mounts := list{object{"name": "vms", "mountPath": vmsDir}}
	if j.VolumeBytes > 0 {
		mounts = append(mounts, object{"name": "volumes", "mountPath": volumesDir})
	}
	memory := fmt.Sprintf("%dMi", j.memory())
	requests := object{"cpu": fmt.Sprint(j.CPUs), "memory": memory}
	limits := object{"memory": memory}
	if j.KVM != "" {
		limits[j.KVM] = "1"
	}
	probe := func(period, failures int) object {
		return object{"exec": object{"command": j.probe()}, "periodSeconds": period, "timeoutSeconds": probeTime, "failureThreshold": failures}
	}
	c := object{
		"name": "vm", "image": j.Image, "args": args,
		"resources":    object{"requests": requests, "limits": limits},
		"volumeMounts": mounts,
		"securityContext": object{
			"allowPrivilegeEscalation": false, "capabilities": object{"drop": list{"ALL"}},
		},
		"startupProbe":   probe(5, startTime/5),
		"readinessProbe": probe(probeTime, 1),
		"livenessProbe":  probe(probeTime, 3),
	}
	if len(j.Ports) > 0 {
		open := list{}
		for _, p := range j.Ports {
			open = append(open, object{"containerPort": int(inside(p)), "protocol": strings.ToUpper(p.Protocol)})
		}
		c["ports"] = open
	}
	return c
}

func (j Job) servicePorts() (all list) {
	for _, p := range j.Ports {
		all = append(all, object{
			"name": fmt.Sprintf("%s-%d", p.Protocol, p.GuestPort), "port": int(inside(p)), "protocol": strings.ToUpper(p.Protocol),
		})
	}
	return all
}

// bytesOf is an amount in Mi, rounded up.
func bytesOf(n int64) string { return fmt.Sprintf("%dMi", (n+(1<<20)-1)>>20) }
