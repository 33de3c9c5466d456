package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The image cannot be built by make: what it is built from has neither bash nor
// the history. So that it still holds the program that the packages hold, what
// the one tells the compiler is what the other does.
func TestTheImageAndThePackagesAreCompiledAlike(t *testing.T) {
	makefile, image := compiles(t, "../Makefile"), compiles(t, "../Dockerfile")
	makefile = strings.NewReplacer("$(TAGS)", "nethttpomithttp2", "$(RELEASE)", "VERSION", "$(DATE)", "DATE", "$(PROGRAM)", "FILE").Replace(makefile)
	image = strings.NewReplacer("${DATE:-$(date -u +%F)}", "DATE", "$VERSION", "VERSION", "/out/cfddns", "FILE", `"`, "'").Replace(image)
	if diff := cmp.Diff(strings.Fields(makefile), strings.Fields(image)); diff != "" {
		t.Errorf("the Makefile (-) and the Dockerfile (+) differ:\n%s", diff)
	}
}

// Whoever follows a page has a program that starts on every Linux, with musl or
// with no C library at all. The laboratory starts it there.
func TestEveryPageBuildsWithoutC(t *testing.T) {
	pages, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"../*/*.md", "../*/*/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, more...)
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range regexp.MustCompile(`[^\n`+"`"+`]*go (build|install) [^\n]*cfddns`).FindAllString(string(text), -1) {
			if found++; !strings.Contains(command, "CGO_ENABLED=0 ") {
				t.Errorf("%s: %s", page, command)
			}
		}
	}
	if found < 2 {
		t.Errorf("%d pages build the program, and two do", found)
	}
}

// compiles is the command in a file that compiles the program, in one line.
func compiles(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(string(content), "\\\n", "")
	command := regexp.MustCompile(`go build [^\n]* \./cmd/cfddns`).FindString(line)
	if command == "" || !strings.Contains(string(content), "CGO_ENABLED=0") {
		t.Fatalf("%s compiles nothing, or with C", path)
	}
	return command
}
