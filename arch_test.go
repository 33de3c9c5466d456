// Package cfddns holds no code: its only file is the test that keeps the
// arrows between the packages as ARCHITECTURE.md draws them.
package cfddns

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/cfddns/cfddns"

// An arrow forbids imports: the packages under from must not import what lies
// under to, except those under but. The reason is for whoever breaks it.
type arrow struct {
	from, to string
	but      []string
	why      string
}

// ownFiles is the one way in which the program writes files of its own.
const ownFiles = module + "/ddns/files"

// everything that is not the standard library has a dot in its first element.
const outside = "*outside*"

func arrows() []arrow {
	return []arrow{
		{"ddns", outside, []string{"ddns/doctor", "ddns/files", "ddns/journal", "ddns/nameserver", "ddns/notify"},
			"the core decides what DNS should say with the standard library only; whoever needs more is an adapter"},
		{"ddns/doctor", module + "/", nil, "the doctor asks through interfaces of its own and imports ddns alone, so that what it judges by is plain data"},
		{"ddns/doctor", "github.com/miekg/dns", nil, "the doctor's probes are put together in cmd"},
		{"ddns/journal", module + "/", nil, "a reader imports ddns and no other package of ours"},
		{"ddns/files", module + "/", nil, "it knows no more than files"},
		{"ddns/notify", module + "/", nil, "a reader imports ddns and no other package of ours"},
		{"ddns/nameserver", module + "/", nil, "an adapter imports ddns and no other package of ours"},
		{"ipsource", module + "/", nil, "an adapter imports ddns and no other package of ours"},
		{"cfclient", module + "/", nil, "an adapter imports ddns and no other package of ours"},
		{"sandbox", module + "/", nil, "the sandbox shares no type with the client it is tested with, or both would make the same mistake and agree"},
		{"", module + "/configs", []string{"cmd", "configs"}, "only cmd knows the configuration; each package owns its Config"},
		{"", module + "/cmd", []string{"cmd"}, "nobody imports the program"},
		{"", module + "/sandbox", []string{"cmd", "sandbox"}, "the fake world is for tests, the demo and cfddns sandbox"},
		{"", module + "/needs", nil, "it is for tests alone: what a test needs of the machine is no business of the program"},
		{"", "github.com/cloudflare/cloudflare-go", []string{"cfclient"}, "one package talks to Cloudflare's API, so that its client can change behind one door"},
		{"", "github.com/miekg/dns", []string{"ddns/nameserver", "ipsource", "sandbox"}, "DNS messages are made and read in three places only"},
		{"", "github.com/spf13/viper", []string{"configs"}, "the configuration's format is the business of configs"},
		{"", "github.com/robfig/cron", []string{"configs"}, "the core knows a schedule as one method"},
		{"", "text/template", nil, "linking it costs 2.5 MB: it switches off the linker's removal of unused methods"},
		{"", "html/template", nil, "linking it costs 2.9 MB"},
	}
}

// Parsing the files here, rather than asking `go list`, makes the go tool run
// the test again when one of them changes.
func TestArrowsBetweenPackages(t *testing.T) {
	eachFile(t, func(path, dir string, imports []string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, imported := range imports {
			for _, a := range arrows() {
				if a.forbids(dir, imported) {
					t.Errorf("%s imports %s: %s", path, imported, a.why)
				}
			}
		}
	})
}

// The root package of the Cloudflare library costs 11 MB and minutes of
// compiling, in tests too.
func TestOnlySubPackagesOfTheCloudflareLibrary(t *testing.T) {
	eachFile(t, func(path, _ string, imports []string) {
		for _, imported := range imports {
			if strings.HasPrefix(imported, "github.com/cloudflare/cloudflare-go") && strings.Count(imported, "/") < 4 {
				t.Errorf("%s imports %s: import its sub-packages only", path, imported)
			}
		}
	})
}

// Listeners are opened by the program, so that one place decides who may
// reach us.
func TestListenersAreOpenedInCmdOnly(t *testing.T) {
	for _, dir := range []string{"ddns", "ipsource", "cfclient", "configs"} {
		eachSource(t, dir, func(path, text string) {
			for _, call := range []string{"net.Listen(", "net.ListenPacket(", "http.ListenAndServe"} {
				if strings.Contains(text, call) {
					t.Errorf("%s calls %s): listeners are opened in cmd", path, call)
				}
			}
		})
	}
}

// Whoever writes by a path follows what somebody else put there.
func TestFilesOfOurOwnAreWrittenInOneWay(t *testing.T) {
	for _, dir := range []string{"ddns", "ipsource", "cfclient", "configs", "cmd"} {
		eachSource(t, dir, func(path, text string) {
			if inside(filepath.ToSlash(filepath.Dir(path)), "ddns/files") {
				return
			}
			for _, call := range []string{"os.WriteFile(", "os.Create(", "os.CreateTemp(", "os.OpenFile(", "os.Rename(", "os.Mkdir(", "os.MkdirAll(", "renameio."} {
				if strings.Contains(text, call) {
					t.Errorf("%s calls %s): files are made and written by ddns/files, which follows nothing that a stranger planted", path, call)
				}
			}
		})
	}
}

func TestEveryPackageTellsItsStory(t *testing.T) {
	told := map[string]bool{}
	fset := token.NewFileSet()
	walk(t, ".", func(path string) {
		dir := filepath.Dir(path)
		if _, seen := told[dir]; !seen {
			told[dir] = false
		}
		file, err := parser.ParseFile(fset, path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if file.Doc != nil && len(file.Doc.Text()) > 60 {
			told[dir] = true
		}
	})
	for dir, ok := range told {
		if !ok {
			t.Errorf("%s has no package comment that says what it is for", dir)
		}
	}
}

// What is skipped or looked for in another way than by package needs passes for a
// test that went well, on the machine where nobody looks.
func TestTestsDeclareWhatTheyNeed(t *testing.T) {
	ours, err := os.ReadFile("needs/ours.txt")
	if err != nil {
		t.Fatal(err)
	}
	starts, declares := map[string]bool{}, map[string]bool{} // by package
	fset := token.NewFileSet()
	walk(t, ".", func(path string) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if !strings.HasSuffix(path, "_test.go") || dir == "." || dir == "needs" {
			return
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(file) {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				continue
			}
			switch name := called(call); {
			case name == "exec.Command", name == "exec.CommandContext", strings.HasPrefix(name, "needs.Command"):
				starts[dir] = true
				if program := argument(call, strings.Count(name, "Context")); strings.HasPrefix(name, "exec.") && program != "" &&
					!strings.HasPrefix(program, "./") && !slices.Contains(strings.Fields(string(ours)), program) {
					t.Errorf("%s starts %s by %s: use needs.Command", fset.Position(call.Pos()), program, name)
				}
			case name == "needs.Main":
				declares[dir] = true
			case name == "exec.LookPath", name == "os.Getenv" && argument(call, 0) == "CI",
				strings.HasSuffix(name, ".Skip"), strings.HasSuffix(name, ".Skipf"), strings.HasSuffix(name, ".SkipNow"):
				t.Errorf("%s calls %s: what a test needs it declares with package needs", fset.Position(call.Pos()), name)
			}
		}
	})
	for dir := range starts {
		if !declares[dir] {
			t.Errorf("the tests of %s start programs, and no TestMain there calls needs.Main, without which every program is found", dir)
		}
	}
}

// A script of testscript can skip itself, too.
func TestNoScriptSkipsForAProgram(t *testing.T) {
	scripts, err := filepath.Glob("cmd/cfddns/testdata/*/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no script, %v", err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "exec:") || strings.HasPrefix(line, "[") && strings.HasSuffix(line, "skip\n") && line != "[!unix] skip\n" {
				t.Errorf("%s: %sthe test that runs it declares what it needs with package needs", script, line)
			}
		}
	}
}

// called is the name of a function as a call writes it, package and all.
func called(call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	from, _ := selector.X.(*ast.Ident)
	if from == nil {
		return "." + selector.Sel.Name
	}
	return from.Name + "." + selector.Sel.Name
}

// argument is the text of an argument, or "" if it is none.
func argument(call *ast.CallExpr, i int) string {
	if len(call.Args) <= i {
		return ""
	}
	literal, _ := call.Args[i].(*ast.BasicLit)
	if literal == nil {
		return ""
	}
	text, _ := strconv.Unquote(literal.Value) // "" is no program
	return text
}

func (a arrow) forbids(dir, imported string) bool {
	if !inside(dir, a.from) {
		return false
	}
	for _, but := range a.but {
		if inside(dir, but) {
			return false
		}
	}
	switch a.to {
	case outside:
		first, _, _ := strings.Cut(imported, "/")
		return strings.Contains(first, ".")
	case module + "/":
		return strings.HasPrefix(imported, a.to) && imported != module+"/ddns" && imported != ownFiles
	default:
		return imported == a.to || strings.HasPrefix(imported, a.to+"/")
	}
}

// inside reports whether a folder is another or lies below it; "" is the root
// of the repository.
func inside(dir, in string) bool {
	return in == "" || dir == in || strings.HasPrefix(dir, in+"/")
}

func eachFile(t *testing.T, check func(path, dir string, imports []string)) {
	t.Helper()
	fset := token.NewFileSet()
	walk(t, ".", func(path string) {
		file, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		var imports []string
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imports = append(imports, imported)
		}
		check(path, filepath.ToSlash(filepath.Dir(path)), imports)
	})
}

func walk(t *testing.T, root string, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return filepath.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, ".go"):
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func eachSource(t *testing.T, dir string, check func(path, text string)) {
	t.Helper()
	walk(t, dir, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		check(path, string(text))
	})
}
