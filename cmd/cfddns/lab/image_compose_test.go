//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cfddns/cfddns/sandbox"
)

// composeFile is compose.yaml, as far as it is used: any other key is refused.
// https://github.com/compose-spec/compose-spec/blob/main/spec.md
type composeFile struct {
	Services map[string]composeService
	Secrets  map[string]struct{ File string }
	Volumes  map[string]any
}

type composeService struct {
	Build struct {
		Context string
		Args    map[string]string
	}
	Image, Restart string
	ContainerName  string `yaml:"container_name"`
	NetworkMode    string `yaml:"network_mode"`
	Environment    map[string]string
	Secrets        []string
	Volumes        []string
	ReadOnly       bool     `yaml:"read_only"`
	CapDrop        []string `yaml:"cap_drop"`
	SecurityOpt    []string `yaml:"security_opt"`
	PidsLimit      int      `yaml:"pids_limit"`
}

func composed(t *testing.T) {
	il := newImageLab(t, sandbox.Config{})
	text, err := os.Open("../../../compose.yaml")
	must(t, err)
	defer text.Close()
	var file composeFile
	strict := yaml.NewDecoder(text)
	strict.KnownFields(true)
	must(t, strict.Decode(&file))
	s := file.Services["cfddns"]
	if len(file.Services) != 1 || s.Build.Context != "." || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
		t.Errorf("it is not hardened: %+v", file)
	}
	if strings.Contains(fmt.Sprint(s.Environment), "CLOUDFLARE_API_TOKEN:") {
		t.Error("a token in the environment shows in docker inspect")
	}

	// What docker compose would run: a secret of a file is that file, mounted.
	token := filepath.Join(t.TempDir(), file.Secrets[s.Secrets[0]].File)
	must(t, os.WriteFile(token, []byte(labToken+"\n"), 0o400))
	must(t, os.Chown(token, 65532, 65532))
	words := []string{"run", "--detach", "--name=" + s.ContainerName, "--network=" + s.NetworkMode, "--read-only", "--pids-limit=" + fmt.Sprint(s.PidsLimit),
		"--volume=" + token + ":/run/secrets/" + s.Secrets[0] + ":ro", "--volume=" + il.roots() + ":/" + goRoots + ":ro"}
	for _, name := range s.CapDrop {
		words = append(words, "--cap-drop="+name)
	}
	for _, option := range s.SecurityOpt {
		words = append(words, "--security-opt="+option)
	}
	for name, value := range s.Environment {
		words = append(words, "--env="+name+"="+value)
	}
	for _, v := range s.Volumes {
		words = append(words, "--volume="+v)
	}
	il.podman(append(words, s.Image)...)
	c := &container{il, s.ContainerName}
	c.right(1)
	il.wantHolds(labName, labHome)
	if said := c.logs(); strings.Contains(said, "WARN") {
		t.Errorf("it warns:\n%s", said)
	}
	il.podman("inspect", c.name)
}
