package cli

import "testing"

// The guest says where a project is: an editor hears of a directory and of nothing else.
func TestEditorsOfOddDirectories(t *testing.T) {
	const dir = "/srv/a&deploy=1?x#y z100%é'"
	for editor, want := range map[string]string{
		"code": dir, "cursor": dir, "zed": "ssh://box.banger/srv/a&deploy=1%3Fx%23y%20z100%25%C3%A9%27",
		"idea": "jetbrains-gateway://connect#type=ssh&host=box.banger&user=root&projectPath=%2Fsrv%2Fa%26deploy%3D1%3Fx%23y%20z100%25%C3%A9%27",
	} {
		argv := editors[editor]("box.banger", dir)
		if got := argv[len(argv)-1]; got != want {
			t.Errorf("%s: got %s", editor, got)
		}
	}
}

// What is a project's is opened as a directory, whatever it is called.
func TestProjectIsADirectory(t *testing.T) {
	for dir, want := range map[string]string{"/srv/site.example": "/srv/site.example/", "/srv/ spaces ": "/srv/ spaces /", "/": "/"} {
		if got := asDirectory(dir); got != want {
			t.Errorf("%q: got %q", dir, got)
		}
	}
}
