package imagebuild

import (
	"slices"
	"testing"

	"banger/internal/imagemgr"
)

// More variables come to the base's, and may be of what it has.
func TestConfigWithEnv(t *testing.T) {
	base := imagemgr.Image{Config: &imagemgr.Config{User: "app", Env: []string{"PATH=/x", "A=1"}}}
	if (Options{Base: base}).config() != base.Config {
		t.Error("nothing more is another configuration")
	}
	got := Options{Base: base, Env: []string{"PATH=/new:${PATH}", "B=${A}${NONE}-${", "PATH=/newer:${PATH}"}}.config()
	if want := []string{"PATH=/newer:/new:/x", "A=1", "B=1-${"}; !slices.Equal(got.Env, want) || got.User != "app" {
		t.Errorf("got %+v, want %q", got, want)
	}
	if !slices.Equal(base.Config.Env, []string{"PATH=/x", "A=1"}) {
		t.Errorf("the base has %q", base.Config.Env)
	}
	if got := (Options{Env: []string{"PATH=/go/bin:${PATH}"}}).config(); !slices.Equal(got.Env, []string{"PATH=/go/bin:" + usualPath}) {
		t.Errorf("without a configuration: %q", got.Env)
	}
}

// What programs get is a part of what was built.
func TestInputsOfEnv(t *testing.T) {
	none, err := Options{}.Inputs()
	if err != nil {
		t.Fatal(err)
	}
	some, err := Options{Env: []string{"A=1"}}.Inputs()
	if err != nil || none == some {
		t.Errorf("they are the same, %v", err)
	}
}
