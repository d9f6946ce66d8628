package project

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestObeyed(t *testing.T) {
	dir := t.TempDir()
	sh(t, dir, `
		git init -q . && git init -q nested && git init -q husky
		mkdir -p below hooks/real other
		ln -s hooks/real linked
		git config core.hooksPath linked
		git config include.path ../tracked.config
		git config includeIf.gitdir:/.path ../not-there
		git config --add include.path /etc/nothing
		printf '[include]\n\tpath = below/more\n' >tracked.config
		git -C nested config core.hooksPath ./myhooks
		git -C husky config core.hooksPath .husky/_
		git -C husky config init.templateDir "$PWD/husky/template"
		touch below/file nested/file husky/file`)
	for below, want := range map[string][]string{
		".":     {".git/config", "below/more", "hooks/real", "husky/.git/config", "husky/.husky", "husky/template", "linked", "nested/.git/config", "nested/myhooks", "not-there", "tracked.config"},
		"below": {"more"},
		"other": nil,
	} {
		tree, err := List(t.Context(), filepath.Join(dir, below))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tree.Obeyed(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("in %s: %q, %v", below, got, err)
		}
	}
	loose := t.TempDir() // which git keeps nothing of
	sh(t, loose, `git init -q broken && echo '[' >broken/.git/config`)
	tree, err := List(t.Context(), loose)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tree.Obeyed(t.Context()); err != nil || got != nil {
		t.Errorf("of a repository that git cannot read: %q, %v", got, err)
	}
}
