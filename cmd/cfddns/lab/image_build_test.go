//go:build linux

package lab

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// goRoots is the certificate bundle of the image that the Dockerfile begins with.
const goRoots = "etc/ssl/certs/ca-certificates.crt"

// importGo puts what the Dockerfile needs of golang:1.26 into the store: a
// shell, certificates and time zones. Go itself and what it has compiled before
// are mounted from the machine by build.
func (d *depot) importGo() {
	d.t.Helper()
	base := d.t.TempDir()
	zones := "usr/local/go/lib/time/zoneinfo.zip"
	for path, from := range map[string]string{"bin/busybox": "busybox", goRoots: "/" + goRoots, zones: filepath.Join(goEnv(d.t, "GOROOT"), "lib/time/zoneinfo.zip")} {
		mode := fs.FileMode(0o644)
		if from == "busybox" {
			from, mode = needs.Program(d.t, from), 0o755
		}
		content, err := os.ReadFile(from)
		must(d.t, err)
		must(d.t, os.MkdirAll(filepath.Dir(filepath.Join(base, path)), 0o755))
		must(d.t, os.WriteFile(filepath.Join(base, path), content, mode))
	}
	for _, applet := range []string{"date", "mkdir", "sh"} {
		must(d.t, os.Symlink("busybox", filepath.Join(base, "bin", applet)))
	}
	must(d.t, os.Mkdir(filepath.Join(base, "tmp"), 0o755))
	archive := filepath.Join(d.t.TempDir(), "golang.tar")
	output, err := needs.Command(d.t, "tar", "-C", base, "-cf", archive, ".").CombinedOutput()
	if err != nil {
		d.t.Fatalf("tar: %v\n%s", err, output)
	}
	words := []string{"import", "--quiet"}
	for _, env := range []string{"PATH=/usr/local/go/bin:/bin", "GOPATH=/go", "GOTOOLCHAIN=local", "GOPROXY=off", "GOMODCACHE=/modules", "GOCACHE=/compiled"} {
		words = append(words, "--change", "ENV "+env)
	}
	d.podman(append(words, archive, "docker.io/library/golang:1.26")...)
}

// build builds the Dockerfile of the repository, with another context if one is
// named, and downloads nothing.
func (d *depot) build(context string, more ...string) {
	d.t.Helper()
	const repository = "../../.."
	words := []string{"build", "--quiet", "--format=docker", "--network=none", "--file", repository + "/Dockerfile",
		"--volume", goEnv(d.t, "GOROOT") + ":/usr/local/go:ro", "--volume", goEnv(d.t, "GOMODCACHE") + ":/modules:ro", "--volume", goEnv(d.t, "GOCACHE") + ":/compiled"}
	if context == "" {
		context = repository
	}
	d.podman(append(append(words, more...), context)...)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := needs.Command(t, "go", "env", name).Output()
	must(t, err)
	return strings.TrimSpace(string(value))
}

// A layerFile is a file of an image.
type layerFile struct {
	tar.Header
	content []byte
}

// layers are all files of an image, by path, and its configuration.
func (d *depot) layers(image string) (files map[string]layerFile, config imageConfig) {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "saved.tar")
	d.podman("save", "--quiet", "--format=docker-archive", "--output", path, image)
	saved, err := os.Open(path)
	must(d.t, err)
	defer saved.Close()
	files = map[string]layerFile{}
	for header, content := range entries(d.t, saved) {
		switch filepath.Ext(header.Name) {
		case ".tar":
			for inner, text := range entries(d.t, bytes.NewReader(content)) {
				files[strings.Trim(inner.Name, "/")] = layerFile{*inner, text}
			}
		case ".json":
			if header.Name != "manifest.json" {
				must(d.t, json.Unmarshal(content, &config))
			}
		}
	}
	return files, config
}

// entries yields what an archive holds.
func entries(t *testing.T, archive io.Reader) func(func(*tar.Header, []byte) bool) {
	return func(yield func(*tar.Header, []byte) bool) {
		for r := tar.NewReader(archive); ; {
			header, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			must(t, err)
			content, err := io.ReadAll(r)
			must(t, err)
			if !yield(header, content) {
				return
			}
		}
	}
}

// imageConfig is what an image says of itself, as far as it is asked.
type imageConfig struct {
	Architecture, OS, Variant string
	Config                    struct {
		User            string
		Env, Entrypoint []string
		Cmd             []string
		Volumes         map[string]any
		Healthcheck     struct{ Test []string }
	}
}

// buildImage makes the image that the other scenarios run.
func buildImage(t *testing.T) {
	d := newDepot(t)
	d.importGo()
	began := time.Now()
	d.build("", "--tag=cfddns", "--build-arg=VERSION=v1.2.3", "--build-arg=DATE=2026-11-01")
	took := time.Since(began)
	files, config := d.layers("cfddns")
	var size int64
	for path, want := range map[string]fs.FileMode{"cfddns": 0o755, "zoneinfo.zip": 0o644, goRoots: 0o644, "etc": 0, "etc/ssl": 0, "etc/ssl/certs": 0, "state": 0} {
		f, there := files[path]
		delete(files, path)
		switch mode := f.FileInfo().Mode(); {
		case !there:
			t.Errorf("the image lacks %s", path)
		case mode.IsDir() != (want == 0), want != 0 && mode != want, mode&0o022 != 0:
			t.Errorf("%s has mode %s", path, mode)
		case f.Uid != 0 && path != "state", path == "state" && f.Uid != 65532:
			t.Errorf("%s belongs to %d", path, f.Uid)
		default:
			size += f.Size
			t.Logf("%s %9d /%s", mode, f.Size, path)
		}
		if path == "cfddns" {
			must(t, os.WriteFile(filepath.Join(d.built, "cfddns"), f.content, 0o755))
		}
	}
	for path := range files {
		t.Errorf("the image holds %s", path)
	}
	t.Logf("%.1f MB in all, built in %s", float64(size)/1e6, took.Round(100*time.Millisecond))
	if c := config.Config; c.User != "65532:65532" || strings.Join(c.Entrypoint, " ") != "/cfddns" || strings.Join(c.Cmd, " ") != "run" ||
		len(c.Volumes) != 0 || !slices.Contains(c.Env, "ZONEINFO=/zoneinfo.zip") || !slices.Contains(c.Env, "container=oci") || strings.Join(c.Healthcheck.Test, " ") != "CMD /cfddns healthcheck" {
		t.Errorf("the image says %+v", c)
	}
	if said := d.podman("run", "--rm", "--network=none", "cfddns", "version"); !strings.HasPrefix(said, "cfddns v1.2.3 (2026-11-01, ") {
		t.Errorf("it says %q", said)
	}
	d.podman("save", "--quiet", "--format=docker-archive", "--output", filepath.Join(d.built, "image.tar"), "cfddns")
}

// otherProcessors builds a little program by the same Dockerfile: what is shown
// is that the compiler runs here and compiles for there.
func otherProcessors(t *testing.T) {
	d := newDepot(t)
	d.importGo()
	little := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(little, "cmd/cfddns"), 0o755))
	must(t, os.WriteFile(filepath.Join(little, "go.mod"), []byte("module little\n\ngo 1.26\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(little, "cmd/cfddns/main.go"), []byte("package main\n\nfunc main() {}\n"), 0o644))
	for _, p := range []struct{ platform, arch, variant, goarm string }{
		{"linux/arm64", "arm64", "", ""}, {"linux/arm/v7", "arm", "v7", "7"},
	} {
		// podman 4 does not set BUILDPLATFORM by itself.
		d.build(little, "--platform="+p.platform, "--build-arg=BUILDPLATFORM=linux/amd64", "--tag=other")
		files, config := d.layers("other")
		if config.OS != "linux" || config.Architecture != p.arch || (p.variant != "" && config.Variant != p.variant) {
			t.Errorf("%s: the image is for %s/%s/%s", p.platform, config.OS, config.Architecture, config.Variant)
		}
		info, err := buildinfo.Read(bytes.NewReader(files["cfddns"].content))
		if err != nil {
			t.Errorf("%s: %v", p.platform, err)
			continue
		}
		built := map[string]string{}
		for _, s := range info.Settings {
			built[s.Key] = s.Value
		}
		if built["GOARCH"] != p.arch || built["GOARM"] != p.goarm || built["CGO_ENABLED"] != "0" {
			t.Errorf("%s: compiled for %v", p.platform, built)
		}
	}
}
