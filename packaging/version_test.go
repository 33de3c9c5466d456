package packaging

import (
	"iter"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/needs"
)

func TestMain(m *testing.M) { os.Exit(needs.Main(m)) }

// described is what git says of a history, one commit after the other, and what
// packages are called then.
func described() []called {
	return []called{
		{"dev", "0", "0.0.0", "0.0.0"},
		{"9b1a96a", "46", "0.0.0+46.g9b1a96a", "0.0.0_p46"},
		{"1234567", "100", "0.0.0+100.g1234567", "0.0.0_p100"},
		{"v1.3.0-alpha.1", "101", "1.3.0~alpha1", "1.3.0_alpha1"},
		{"v1.3.0-rc.2", "102", "1.3.0~rc2", "1.3.0_rc2"},
		{"v1.3.0-rc.2-9-gabcdef0", "103", "1.3.0~rc2+9.gabcdef0", "1.3.0_rc2_p9"},
		{"v1.3.0-rc.10", "104", "1.3.0~rc10", "1.3.0_rc10"},
		{"v1.3.0", "105", "1.3.0", "1.3.0"},
		{"v1.3.0-dirty", "105", "1.3.0+0.dirty", "1.3.0_p0"},
		{"v1.3.0-4-gabc1234", "109", "1.3.0+4.gabc1234", "1.3.0_p4"},
		{"v1.3.0-4-gabc1234-dirty", "109", "1.3.0+4.gabc1234.dirty", "1.3.0_p4"},
		{"v1.3.0-12-g0123456", "117", "1.3.0+12.g0123456", "1.3.0_p12"},
		{"1.3.1", "118", "1.3.1", "1.3.1"},
	}
}

// called is a state of the repository: what git says of it, how many commits it
// has, and what packages are called.
type called struct{ git, commits, debian, alpine string }

func TestVersionsOfPackagesAreMadeOfWhatGitSays(t *testing.T) {
	needs.Program(t, "bash")
	for _, d := range described() {
		output, err := exec.Command("./version", d.git, d.commits).CombinedOutput()
		if got, want := strings.TrimSpace(string(output)), d.debian+" "+d.alpine; err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", d.git, got, err, want)
		}
	}
	for _, git := range []string{"latest", "v1", "v1.3.0-", "v1.3.0 4", ""} {
		if output, err := exec.Command("./version", git, "1").CombinedOutput(); err == nil {
			t.Errorf("%q became the version %s", git, output)
		}
	}
}

func TestDpkgSortsLaterCommitsHigher(t *testing.T) {
	for lower, higher := range neighbours() {
		if err := needs.Command(t, "dpkg", "--compare-versions", lower+"-1", "lt", higher+"-1").Run(); err != nil {
			t.Errorf("dpkg does not sort %s below %s: %v", lower, higher, err)
		}
	}
}

func TestRPMSortsLaterCommitsHigher(t *testing.T) {
	for lower, higher := range neighbours() {
		order, err := needs.Command(t, "rpm", "--eval", `%{lua:print(rpm.vercmp("`+lower+`","`+higher+`"))}`).Output()
		if err != nil || strings.TrimSpace(string(order)) != "-1" {
			t.Errorf("rpm sorts %s and %s as %s (%v), want -1", lower, higher, order, err)
		}
	}
}

// neighbours are versions of Debian and RPM, each with the next one.
func neighbours() iter.Seq2[string, string] {
	return func(yield func(lower, higher string) bool) {
		all := described()
		for i := 1; i < len(all) && yield(all[i-1].debian, all[i].debian); i++ {
			continue
		}
	}
}

func TestTheVersionOfThisSourceIsPrinted(t *testing.T) {
	needs.Programs(t, "bash", "git")
	output, err := needs.Command(t, "bash", "version").CombinedOutput()
	if err != nil || !regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\S*\n$`).Match(output) {
		t.Errorf("%q, %v", output, err)
	}
}

// The program says of itself what its package is called.
func TestProgramAndPackageHaveOneVersion(t *testing.T) {
	needs.Programs(t, "bash", "make", "git")
	for _, described := range []string{"v1.3.0", "v1.3.0-rc.2", "v1.3.0-4-gabc1234-dirty", "dev"} {
		packaged, err := needs.Command(t, "bash", "version", described, "0").Output()
		if err != nil {
			t.Fatal(err)
		}
		want, _, _ := strings.Cut(string(packaged), " ")
		said, err := needs.Command(t, "make", "-C", "..", "--dry-run", "--no-print-directory", "build", "VERSION="+described).Output()
		if err != nil || !strings.Contains(string(said), "main.release="+want+" ") {
			t.Errorf("%s is packaged as %s, and the program is made by: %s, %v", described, want, said, err)
		}
	}
}
