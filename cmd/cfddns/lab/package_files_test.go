//go:build linux

package lab

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/needs"
)

// sums are the checksums of what lies in a directory of packages, by name.
func (r release) sums(t *testing.T, name string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(r.dir, name))
	must(t, err)
	sums := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(r.dir, name, file.Name()))
		must(t, err)
		sum := sha256.Sum256(content)
		sums[file.Name()] = hex.EncodeToString(sum[:])
	}
	return sums
}

func (r release) sameBytes(t *testing.T) {
	once, again := r.sums(t, "new"), r.sums(t, "again")
	delete(again, "SHA256SUMS") // fewer targets
	if len(again) < 5 {         // deb, rpm, apk, tarball, bill of materials
		t.Fatalf("too little was made to compare: %v", slices.Sorted(maps.Keys(again)))
	}
	for name, sum := range again {
		if once[name] != sum {
			t.Errorf("%s has other bytes when it is made elsewhere", name)
		}
	}
}

func (r release) checksums(t *testing.T) {
	want := r.sums(t, "new")
	delete(want, "SHA256SUMS")
	file, err := os.Open(filepath.Join(r.dir, "new", "SHA256SUMS"))
	must(t, err)
	defer file.Close()
	got := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		got[name] = sum
	}
	if !maps.Equal(got, want) {
		t.Errorf("SHA256SUMS: %v, want %v", got, want)
	}
}

// format is one kind of package: which file it is, what lists its contents and
// by which program beside tar, and what must be among them.
type format struct {
	pattern, program, list string
	files                  []string
}

func formats() map[string]format {
	return map[string]format{
		"deb": {"new/*_amd64.deb", "dpkg-deb", `dpkg-deb --fsys-tarfile "$0" | tar -t | sed 's,^\.,,'`, append(unitFiles(), commonFiles("vendor-completions", "vendor_completions.d",
			"/usr/share/doc/cfddns/copyright", "/usr/share/doc/cfddns/changelog.Debian.gz")...)},
		"rpm": {"new/*.x86_64.rpm", "rpm", `rpm -qlp "$0"`, append(unitFiles(), commonFiles("site-functions", "vendor_completions.d", "/usr/share/licenses/cfddns/LICENSE")...)},
		"apk": {"new/*_x86_64.apk", "gzip", `tar -tzf "$0" 2>/dev/null | sed 's,^,/,'`, commonFiles("site-functions", "vendor_completions.d", "/usr/share/licenses/cfddns/LICENSE",
			"/etc/init.d/cfddns", "/.pre-install", "/.post-upgrade", "/.pre-deinstall")},
		"tarball": {"new/*_linux_amd64.tar.gz", "gzip", `tar -tzf "$0" | sed 's,^[^/]*,,'`, []string{"/cfddns", "/LICENSE", "/NOTICES", "/README.md", "/CHANGELOG.md", "/INSTALL.md",
			"/configs/minimal.yaml", "/configs/reference.yaml", "/systemd/cfddns.service", "/systemd/cfddns-once.timer", "/systemd/hooks/pppd",
			"/man/cfddns.1", "/man/cfddns-waf-allow.1", "/completions/cfddns.bash", "/completions/_cfddns", "/completions/cfddns.fish"}},
	}
}

func unitFiles() []string {
	return []string{"/usr/lib/systemd/system/cfddns.service", "/usr/lib/systemd/system/cfddns-once.service", "/usr/lib/systemd/system/cfddns-once.timer"}
}

func commonFiles(zsh, fish string, more ...string) []string {
	doc := "/usr/share/doc/cfddns/"
	return append(more, "/usr/bin/cfddns", "/usr/share/bash-completion/completions/cfddns", "/usr/share/zsh/"+zsh+"/_cfddns", "/usr/share/fish/"+fish+"/cfddns.fish",
		"/usr/share/man/man1/cfddns.1.gz", "/usr/share/man/man1/cfddns-once.1.gz", "/usr/share/man/man1/cfddns-under-attack-on.1.gz",
		doc+"examples/minimal.yaml", doc+"examples/reference.yaml", doc+"examples/hooks/pppd", doc+"changelog.gz", doc+"NOTICES.gz")
}

func (r release) holds(t *testing.T) {
	for kind, f := range formats() {
		t.Run(kind, func(t *testing.T) { r.holdsAs(t, kind, f) })
	}
	t.Run("the manual", r.manualWhole)
	t.Run("a place that the service's user can read", func(t *testing.T) {
		needs.Programs(t, "dpkg-deb", "tar")
		mode := regexp.MustCompile(`(?m)^drwxr-xr-x root/root .* \./etc/cfddns/$`)
		if list := sh(t, "/", nil, `dpkg-deb --contents "$0"`, r.only(t, "new/*_amd64.deb")); !mode.MatchString(list) {
			t.Errorf("/etc/cfddns is not readable by the service's user:\n%s", list)
		}
	})
}

func (r release) holdsAs(t *testing.T, kind string, f format) {
	needs.Programs(t, f.program, "tar")
	list := strings.Fields(sh(t, "/", nil, f.list, r.only(t, f.pattern)))
	for i, path := range list {
		list[i] = strings.TrimSuffix(path, "/")
	}
	for _, want := range f.files {
		if !slices.Contains(list, want) {
			t.Errorf("the %s has no %s", kind, want)
		}
	}
	if slices.Contains(list, "/etc/cfddns/cfddns.yaml") {
		t.Errorf("the %s brings a configuration, which only a person can write", kind)
	}
	if kind != "tarball" && !slices.Contains(list, "/etc/cfddns") {
		t.Errorf("the %s has no place for the configuration", kind)
	}
}

// manualWhole fails if a command has no page, or a page no name.
func (r release) manualWhole(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	sh(t, "/", nil, `tar -xzf "$0" --strip-components=1 -C "$1"`, r.only(t, "new/*_linux_amd64.tar.gz"), dir)
	help := sh(t, dir, nil, `./cfddns help | sed -n '/^Available Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p'`)
	commands := slices.DeleteFunc(strings.Fields(help), func(c string) bool { return c == "help" })
	archiveLeads(t, dir)
	if len(commands) < 10 {
		t.Fatalf("help names too few commands: %s", help)
	}
	for _, command := range commands {
		page, err := os.ReadFile(filepath.Join(dir, "man", "cfddns-"+command+".1"))
		if err != nil || !bytes.Contains(page, []byte("\ncfddns-"+command+" - ")) {
			t.Errorf("cfddns %s has no manual page that names it: %v", command, err)
		}
	}
}

// archiveLeads fails if the page of an unpacked archive leads to what is not in it.
func archiveLeads(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "INSTALL.md"))
	must(t, err)
	links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1)
	if len(links) < 5 {
		t.Errorf("INSTALL.md leads to too few files: %v", links)
	}
	for _, link := range links {
		if _, err := os.Stat(filepath.Join(dir, link[1])); err != nil {
			t.Errorf("INSTALL.md leads to what is not there: %v", err)
		}
	}
}

// billed compares the bill of materials with the program that is packed.
func (r release) billed(t *testing.T) {
	dir := t.TempDir()
	sh(t, "/", nil, `tar -xzf "$0" --strip-components=1 -C "$1"`, r.only(t, "new/*_linux_amd64.tar.gz"), dir)
	info, err := buildinfo.ReadFile(filepath.Join(dir, "cfddns"))
	must(t, err)
	want := []string{"std " + strings.TrimPrefix(info.GoVersion, "go")}
	for _, module := range info.Deps {
		want = append(want, module.Path+" "+module.Version)
	}
	var bill struct {
		BOMFormat string
		Metadata  struct {
			Component struct {
				Version string
				Hashes  []struct{ Content string }
			}
		}
		Components []struct{ Name, Version, PURL string }
	}
	text, err := os.ReadFile(r.only(t, "new/*_linux_amd64.cdx.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &bill))
	var got []string
	for _, c := range bill.Components {
		got = append(got, c.Name+" "+c.Version)
		if c.PURL != "pkg:golang/"+strings.ToLower(c.Name)+"@"+c.Version {
			t.Errorf("%s is called %s", c.Name, c.PURL)
		}
	}
	program, err := os.ReadFile(filepath.Join(dir, "cfddns"))
	must(t, err)
	sum := sha256.Sum256(program)
	self := bill.Metadata.Component
	if !slices.Equal(got, want) || bill.BOMFormat != "CycloneDX" || self.Version != strings.TrimPrefix(packagedNew, "v") ||
		len(self.Hashes) != 1 || self.Hashes[0].Content != hex.EncodeToString(sum[:]) {
		t.Errorf("the bill of materials says %+v,\nthe program %v", bill, want)
	}
	notices, err := os.ReadFile(filepath.Join(dir, "NOTICES"))
	must(t, err)
	for _, module := range info.Deps {
		if !bytes.Contains(notices, []byte("\n"+module.Path+" "+module.Version+"\n")) {
			t.Errorf("NOTICES has no licence of %s", module.Path)
		}
	}
	if slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return strings.Contains(m.Path, "md2man") }) {
		t.Error("what writes the manual is linked into the program")
	}
}

func (r release) linted(t *testing.T) {
	lintian := needs.Command(t, "lintian", "--allow-root", "--display-info", "--pedantic", "--fail-on=error,warning,info,pedantic", r.only(t, "new/*_amd64.deb"))
	lintian.Env = append(os.Environ(), "PATH="+needs.Path())
	output, err := lintian.CombinedOutput()
	if err != nil || len(bytes.TrimSpace(output)) > 0 {
		t.Errorf("lintian: %v\n%s", err, output)
	}
}
