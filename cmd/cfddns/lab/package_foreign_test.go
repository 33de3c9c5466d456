//go:build linux

package lab

import (
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// emulator is the program that runs a target's programs here; "" for those
// that none runs. See qemu-user-static(1).
func emulator(target string) string {
	return map[string]string{"linux/arm64": "qemu-aarch64-static", "linux/armv7": "qemu-arm-static",
		"linux/mipsle": "qemu-mipsel-static", "linux/riscv64": "qemu-riscv64-static"}[target]
}

// elsewhere are the other targets that were made.
func (r release) elsewhere() (targets []string) {
	for target := range strings.FieldsSeq(os.Getenv("LAB_TARGETS")) {
		if emulator(target) == "" {
			targets = append(targets, target)
		}
	}
	return targets
}

// unpack lays the program for a target down, and returns where.
func (r release) unpack(t *testing.T, target string) string {
	t.Helper()
	dir := t.TempDir()
	sh(t, "/", nil, `tar -xzf "$0" --strip-components=1 -C "$1"`, r.only(t, "new/*_"+strings.ReplaceAll(target, "/", "_")+".tar.gz"), dir)
	return filepath.Join(dir, "cfddns")
}

// runsForeign runs a program of another processor: it serves the sandbox, asks
// it for the address over TLS, HTTP, DNS and STUN, and writes the record.
func (r release) runsForeign(t *testing.T, target string) {
	qemu := needs.Program(t, emulator(target))
	t.Parallel()
	program, dir := r.unpack(t, target), t.TempDir()
	config := filepath.Join(dir, "c.yaml")
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(qemu, append([]string{program}, args...)...)
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "CFDDNS_CONFIG=" + config}
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s of %s: %v\n%s", args, target, err, output)
		}
		return string(output)
	}
	arch := strings.TrimSuffix(strings.TrimPrefix(target, "linux/"), "v7")
	if said := run("version"); !strings.HasPrefix(said, "cfddns "+strings.TrimPrefix(packagedNew, "v")+" (2026-11-24, ") || !strings.HasSuffix(said, ", linux/"+arch+")\n") {
		t.Errorf("it says of itself: %s", said)
	}
	leastNeeded(t, program, target)
	serveForeign(t, exec.Command(qemu, program, "sandbox", "--zone", "example.com", "--write-config", config), dir)
	if said := run("ip"); !strings.Contains(said, "agreed  "+labHome) {
		t.Errorf("ip: %s", said)
	}
	if said := run("once", "--output", "json"); !strings.Contains(said, `"receipt": "confirmed"`) || !strings.Contains(said, `"outcome": "seen"`) {
		t.Errorf("once: %s", said)
	}
	if said := run("once"); said != "" {
		t.Errorf("a second round has something to say: %s", said)
	}
}

// leastNeeded fails if a program was built for more than the least of its
// architecture, which the emulator would not notice.
func leastNeeded(t *testing.T, program, target string) {
	t.Helper()
	want := map[string]string{"linux/arm64": "GOARM64=v8.0", "linux/armv7": "GOARM=7", "linux/mipsle": "GOMIPS=softfloat", "linux/riscv64": "GORISCV64=rva20u64"}[target]
	info, err := buildinfo.ReadFile(program)
	must(t, err)
	for _, s := range info.Settings {
		if s.Key+"="+s.Value == want {
			return
		}
	}
	t.Errorf("it was not built with %s: %v", want, info.Settings)
}

// serveForeign starts a sandbox, and waits for the line that says where it listens.
func serveForeign(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	said := new(voice)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, []string{"HOME=" + dir}, said
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	listens := make(chan error, 1)
	go func() { // ends with the sandbox at the latest
		var where map[string]any
		listens <- json.NewDecoder(stdout).Decode(&where)
	}()
	select {
	case err := <-listens:
		if err != nil {
			t.Fatalf("the sandbox does not listen: %v\n%s", err, said)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the sandbox does not listen after a minute:\n%s", said)
	}
}

// isFor looks at the header of a program that nothing here can run.
func (r release) isFor(t *testing.T, target string) {
	program := r.unpack(t, target)
	switch target {
	case "freebsd/amd64":
		file, err := elf.Open(program)
		must(t, err)
		defer file.Close()
		if file.OSABI != elf.ELFOSABI_FREEBSD || file.Machine != elf.EM_X86_64 || file.Type != elf.ET_EXEC {
			t.Errorf("it is %s, %s, %s", file.OSABI, file.Machine, file.Type)
		}
		if needed, err := file.ImportedLibraries(); err != nil || len(needed) > 0 {
			t.Errorf("it needs %v, %v", needed, err)
		}
	case "darwin/amd64", "darwin/arm64":
		file, err := macho.Open(program)
		must(t, err)
		defer file.Close()
		want := map[string]macho.Cpu{"darwin/amd64": macho.CpuAmd64, "darwin/arm64": macho.CpuArm64}[target]
		if file.Cpu != want || file.Type != macho.TypeExec {
			t.Errorf("it is %s, %s", file.Cpu, file.Type)
		}
	default:
		t.Errorf("nobody said how a program for %s is known", target)
	}
}
