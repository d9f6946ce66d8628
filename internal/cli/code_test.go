package cli

import "testing"

// The guest says where a project is: an editor hears of a directory and of nothing else.
func TestEditorsOfOddDirectories(t *testing.T) {
	const dir = "/srv/a&deploy=1?x#y z"
	for editor, want := range map[string]string{
		"code": dir, "cursor": dir, "zed": "ssh://box.banger/srv/a&deploy=1%3Fx%23y%20z",
		"idea": "jetbrains-gateway://connect#type=ssh&host=box.banger&user=root&projectPath=%2Fsrv%2Fa%26deploy%3D1%3Fx%23y%20z",
	} {
		argv := editors[editor]("box.banger", dir)
		if got := argv[len(argv)-1]; got != want {
			t.Errorf("%s: got %s", editor, got)
		}
	}
}
