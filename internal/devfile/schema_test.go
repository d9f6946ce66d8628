package devfile

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"banger/internal/size"
	"banger/internal/usernet/policy"
)

var update = flag.Bool("update", false, "write the schema anew")

// The schema for editors is what the program reads.
func TestSchema(t *testing.T) {
	const file = "../../docs/banger.schema.json"
	amount := &jsonschema.Schema{Type: "string"}
	schema, err := jsonschema.For[File](&jsonschema.ForOptions{
		TypeSchemas: map[reflect.Type]*jsonschema.Schema{reflect.TypeFor[size.Size](): amount},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, property := range schema.Properties {
		if len(property.Types) > 0 { // TOML has no null
			property.Type, property.Types = "array", nil
		}
	}
	schema.Properties["egress"].Enum = []any{policy.All, policy.Public, policy.None}
	schema.Properties["workspace"].Enum = []any{Copy, Mount, None}
	schema.Schema, schema.Title = "https://json-schema.org/draft/2020-12/schema", FileName
	want, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/banger.schema.json is not what is read (go test ./internal/devfile -update writes it):\n%s", diff)
	}
}
