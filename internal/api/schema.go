package api

import (
	"encoding/json"
	"net/netip"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"

	"banger/internal/engine"
	"banger/internal/imagemgr"
	"banger/internal/ports"
	"banger/internal/ref"
	"banger/internal/usernet/policy"
	"banger/internal/vm"
)

// Texts of requests that have a form.
type (
	name      string   // of a VM, an image, ...
	reference string   // to an image or a kernel, see ref.ParseSource
	argv      []string // a program and its arguments
	amount    int      // more than none
	labels    []string // KEY or KEY=VALUE

	artifactReference string // a place in a registry, see ref.Artifact

	guestPath   string   // of a guest's file
	hostPath    string   // of this machine's file, absolute
	mountPoint  string   // a directory of a guest's, absolute and clean
	fileMode    string   // in octal
	signal      string   // a name without SIG
	variable    string   // of an environment
	secretHosts []string // see secret.Host
	secretValue string   // see secret.NewValue
	vmNames     []string
	networkList []string // names of networks, or none alone
)

// Patterns of texts. A format, where one stands beside them, is for who reads the
// description: what comes in is checked by the engine.
const (
	namePattern       = `^[a-z0-9]+([._-][a-z0-9]+)*$` // see ref.CheckName
	referencePattern  = `^((docker://|oci:|oci-archive:|docker-archive:|dir:|tar:|mmdebstrap:|apt:).+|[^\s/]+/\S+)$`
	durationPattern   = `^([0-9]{1,6}(\.[0-9]{1,3})?(h|m|s|ms))+$`
	labelPattern      = `^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`
	guestPathPattern  = `^[^\x00]+$`
	hostPathPattern   = `^/[^\x00]*$`
	mountPointPattern = "^(/[^/:\\x00-\\x1f\\x7f\u0080-\u009f]*[^/:.\\x00-\\x1f\\x7f\u0080-\u009f][^/:\\x00-\\x1f\\x7f\u0080-\u009f]*){1,8}$"
	subnetPattern     = `^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])/(1[6-9]|2[0-9])$` // what else holds is the engine's to say
	variablePattern   = `^[A-Za-z_][A-Za-z0-9_]{0,63}$`
	secretHostPattern = `^(\*\.)?([a-z]([a-z0-9-]{0,30}[a-z0-9])?\.){1,3}[a-z]{2,20}$`
	secretPattern     = "^([^" + notAtEnds + "]([^" + controls + "]*[^" + notAtEnds + "])?[\\r\\n]*)?$" // see secret.NewValue
	controls          = "\\x00-\\x1f\\x7f"
	notAtEnds         = controls + "\\x20\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
	hostPattern       = `^(\*\.)?([a-z]([a-z0-9-]{0,30}[a-z0-9])?\.){0,3}[a-z]{2,20}(:[1-9][0-9]{0,3})?$`
)

func pattern(p string) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Pattern: p} }

func limit(n int) *int { return &n }

func number(n float64) *float64 { return &n }

// anyOf is a text of one of several forms.
func anyOf(schemas ...*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", AnyOf: schemas}
}

// named are the schemas of types whose Go says less than can be said.
var namedSchemas = map[reflect.Type]*jsonschema.Schema{
	reflect.TypeFor[name]():      {Type: "string", Pattern: namePattern, MaxLength: limit(ref.MaxName)},
	reflect.TypeFor[reference](): anyOf(&jsonschema.Schema{Pattern: namePattern, MaxLength: limit(ref.MaxName)}, &jsonschema.Schema{Pattern: referencePattern}),
	reflect.TypeFor[argv]():      {Type: "array", MinItems: limit(1), Items: &jsonschema.Schema{Type: "string", Pattern: `^[^\x00]+$`}},
	reflect.TypeFor[amount]():    {Type: "integer", Minimum: number(1), Maximum: number(1 << 30)},
	reflect.TypeFor[netip.Addr](): anyOf(
		&jsonschema.Schema{Format: "ipv4"}, &jsonschema.Schema{Format: "ipv6"}),
	reflect.TypeFor[vm.Duration](): pattern(durationPattern),
	reflect.TypeFor[vm.Labels](): {
		Type: "object", MaxProperties: limit(32), PropertyNames: &jsonschema.Schema{Pattern: labelPattern},
		AdditionalProperties: &jsonschema.Schema{Type: "string", Pattern: `^[ -~]{0,256}$`},
	},
	reflect.TypeFor[json.RawMessage](): {},
	reflect.TypeFor[[]byte]():          {Type: "string", ContentEncoding: "base64"}, // as encoding/json has it
}

// schemaOf is a type's JSON schema.
func schemaOf(t reflect.Type) (*jsonschema.Schema, error) {
	return jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: namedSchemas})
}

// newPort is a port of the host that is to lead to one of the guest.
type newPort struct {
	HostIP    netip.Addr   `json:"host_ip,omitzero" jsonschema:"the loopback's where it is not given"`
	HostPort  portNumber   `json:"host_port,omitempty" jsonschema:"any that is free where it is not given"`
	GuestPort portNumber   `json:"guest_port"`
	Protocol  protocolName `json:"protocol,omitempty" jsonschema:"tcp where it is not given"`
}

type (
	portNumber   uint16
	protocolName string
	vmmName      string
	egressName   string
	rules        []string
)

// newPolicy is policy.Settings as it comes in.
type newPolicy struct {
	Egress egressName `json:"egress,omitempty"`
	Allow  rules      `json:"allow,omitempty"`
	Deny   rules      `json:"deny,omitempty"`
}

func (p newPolicy) settings() policy.Settings {
	return policy.Settings{Egress: string(p.Egress), Allow: p.Allow, Deny: p.Deny}
}

func init() {
	namedSchemas[reflect.TypeFor[portNumber]()] = &jsonschema.Schema{Type: "integer", Minimum: number(1), Maximum: number(65535)}
	namedSchemas[reflect.TypeFor[artifactReference]()] = pattern(`^oci://[a-z0-9][a-z0-9.-]*(:[0-9]+)?/[a-z0-9][a-z0-9/-]*(:[A-Za-z0-9._-]+)?$`)
	namedSchemas[reflect.TypeFor[guestPath]()] = pattern(guestPathPattern)
	namedSchemas[reflect.TypeFor[hostPath]()] = pattern(hostPathPattern)
	namedSchemas[reflect.TypeFor[mountPoint]()] = pattern(mountPointPattern)
	namedSchemas[reflect.TypeFor[fileMode]()] = pattern(`^0?[0-7]{3}$`)
	namedSchemas[reflect.TypeFor[signal]()] = &jsonschema.Schema{Type: "string", Enum: []any{"KILL", "TERM", "INT", "HUP", "QUIT", "USR1", "USR2"}}
	namedSchemas[reflect.TypeFor[variable]()] = pattern(variablePattern)
	namedSchemas[reflect.TypeFor[secretValue]()] = pattern(secretPattern)
	namedSchemas[reflect.TypeFor[secretHosts]()] = &jsonschema.Schema{Type: "array", MinItems: limit(1), Items: pattern(secretHostPattern)}
	namedSchemas[reflect.TypeFor[vmNames]()] = &jsonschema.Schema{Type: "array", Items: namedSchemas[reflect.TypeFor[name]()]}
	namedSchemas[reflect.TypeFor[networkList]()] = &jsonschema.Schema{
		Type: "array", UniqueItems: true, MaxItems: limit(8), Items: &jsonschema.Schema{Type: "string", Pattern: namePattern, MaxLength: limit(ref.MaxName)},
	}
	namedSchemas[reflect.TypeFor[netip.Prefix]()] = pattern(subnetPattern)
	namedSchemas[reflect.TypeFor[interval]()] = &jsonschema.Schema{Type: "integer", Minimum: number(minInterval), Maximum: number(maxInterval)}
	namedSchemas[reflect.TypeFor[exportFormat]()] = &jsonschema.Schema{Type: "string", Enum: []any{imagemgr.FormatTar, imagemgr.FormatExt4}}
	namedSchemas[reflect.TypeFor[moment]()] = &jsonschema.Schema{Type: "string", Format: "date-time"}
	namedSchemas[reflect.TypeFor[boot]()] = &jsonschema.Schema{Type: "integer", Minimum: number(-maxBoots), Maximum: number(0)}
	namedSchemas[reflect.TypeFor[lineCount]()] = &jsonschema.Schema{Type: "integer", Minimum: number(0), Maximum: number(maxLines)}
	namedSchemas[reflect.TypeFor[logSource]()] = &jsonschema.Schema{
		Type: "string", Enum: []any{string(engine.ConsoleLog), string(engine.SupervisorLog), string(engine.NetworkLog)},
	}
	namedSchemas[reflect.TypeFor[labels]()] = &jsonschema.Schema{Type: "array", Items: pattern(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}(=[ -~]{0,256})?$`)}
	namedSchemas[reflect.TypeFor[vmmName]()] = &jsonschema.Schema{Type: "string", Enum: []any{"auto", "firecracker", "qemu"}}
	namedSchemas[reflect.TypeFor[copies]()] = &jsonschema.Schema{Type: "integer", Minimum: number(1), Maximum: number(100)}
	namedSchemas[reflect.TypeFor[protocolName]()] = &jsonschema.Schema{Type: "string", Enum: []any{ports.TCP, ports.UDP}}
	namedSchemas[reflect.TypeFor[encoding]()] = &jsonschema.Schema{Type: "string", Enum: []any{string(plainText), string(inBase64)}}
	namedSchemas[reflect.TypeFor[egressName]()] = &jsonschema.Schema{Type: "string", Enum: []any{policy.All, policy.Public, policy.None}}
	namedSchemas[reflect.TypeFor[rules]()] = &jsonschema.Schema{
		Type: "array", MaxItems: limit(500),
		Items: anyOf(&jsonschema.Schema{Pattern: hostPattern}, &jsonschema.Schema{Format: "ipv4"}, &jsonschema.Schema{Format: "ipv6"}),
	}
}
