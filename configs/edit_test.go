package configs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestEditing(t *testing.T) {
	add := func(names ...string) (e Edit) {
		for _, name := range names {
			e.Add = append(e.Add, Record{Name: name})
		}
		return e
	}
	for _, row := range []struct {
		name     string
		old, new string
		edit     Edit
	}{
		{"a name comes after the last, at the same indentation", "records:\n- name: a.example.com\nverify: 5s\n", "records:\n- name: a.example.com\n- name: b.example.com\nverify: 5s\n", add("b.example.com")},
		{"comments and blank lines stay where they are",
			"# mine\nrecords: # the names\n  # the door\n  - name: a.example.com   # old\n    ttl: 60\n\n# how\nverify: 5s # patience\n",
			"# mine\nrecords: # the names\n  # the door\n  - name: a.example.com   # old\n    ttl: 60\n  - name: b.example.com\n\n# how\nverify: 5s # patience\n", add("b.example.com")},
		{"the list is the last key, without a final line feed", "records:\n  - name: a.example.com", "records:\n  - name: a.example.com\n  - name: b.example.com\n", add("b.example.com")},
		{"there is no list yet", "verify: 5s\n", "verify: 5s\nrecords:\n  - name: b.example.com\n", add("b.example.com")},
		{"the list is empty", "records:\nverify: 5s\n", "records:\n  - name: b.example.com\nverify: 5s\n", add("b.example.com")},
		{"the file is empty", "", "records:\n  - name: b.example.com\n", add("b.example.com")},
		{"a list in brackets becomes one of lines, and keeps its comments", "# mine\nrecords: [{name: a.example.com}] # names\n\n# how\nverify: 5s\n", "# mine\nrecords: # names\n  - {name: a.example.com}\n  - name: b.example.com\n\n# how\nverify: 5s\n", add("b.example.com")},
		{"one in brackets over several lines too", "records: [\n  {name: a.example.com}, # one\n  {name: b.example.com}, # two\n]\n# end\n", "records:\n  - {name: a.example.com} # one\n  - {name: b.example.com} # two\n  - name: c.example.com\n# end\n", add("c.example.com")},
		{"an empty list in brackets", "verify: 5s\nrecords: [] # none yet\n# end", "verify: 5s\nrecords: # none yet\n  - name: b.example.com\n# end\n", add("b.example.com")},
		{"no list, said so", "records: ~\nverify: 5s\n", "records:\n  - name: b.example.com\nverify: 5s\n", add("b.example.com")},
		{"the last entry in brackets goes", "records: [{name: a.example.com}]\nverify: 5s\n", "records:\nverify: 5s\n", Edit{Remove: []string{"a.example.com"}}},
		{"lines that end as on Windows", "records:\r\n  - name: a.example.com\r\n# end\r\n", "records:\r\n  - name: a.example.com\r\n  - name: b.example.com\r\n# end\r\n", add("b.example.com")},
		{"lines that end in different ways stay so", "# a\nrecords:\r\n  - name: a.example.com\r\n# end\nverify: 5s\r\n", "# a\nrecords:\r\n  - name: a.example.com\r\n  - name: b.example.com\r\n# end\nverify: 5s\r\n", add("b.example.com")},
		{"the new line ends as the one before it", "# a\r\nrecords:\n- name: a.example.com\nverify: 5s\r\n", "# a\r\nrecords:\n- name: a.example.com\n- name: b.example.com\nverify: 5s\r\n", add("b.example.com")},
		{"a removed one takes its line alone", "records:\r\n- name: a.example.com\n- name: b.example.com\r\n- name: c.example.com\n", "records:\r\n- name: a.example.com\n- name: c.example.com\n", Edit{Remove: []string{"b.example.com"}}},
		{"without a list, and with two ways", "verify: 5s\n# x\r\n", "verify: 5s\n# x\r\nrecords:\r\n  - name: b.example.com\r\n", add("b.example.com")},
		{"in brackets, and with two ways", "# x\nrecords: [{name: a.example.com}]\r\nverify: 5s\n", "# x\nrecords:\r\n  - {name: a.example.com}\r\n  - name: b.example.com\r\nverify: 5s\n", add("b.example.com")},
		{"lines that end as on an old Macintosh", "verify: 5s\rrecords:\r- name: a.example.com\r", "verify: 5s\rrecords:\r- name: a.example.com\r- name: b.example.com\r", add("b.example.com")},
		{"a comment after the end of the document", "verify: 5s\n...\n# end\n", "verify: 5s\nrecords:\n  - name: b.example.com\n...\n# end\n", add("b.example.com")},
		{"the marks of a document", "---\nrecords:\n  - name: a.example.com\n...\n", "---\nrecords:\n  - name: a.example.com\n  - name: b.example.com\n...\n", add("b.example.com")},
		{"the end of a document without a list", "verify: 5s\n...\n", "verify: 5s\nrecords:\n  - name: b.example.com\n...\n", add("b.example.com")},
		{"a wildcard is quoted", "records:\n  - name: a.example.com\n", "records:\n  - name: a.example.com\n  - name: \"*.b.example.com\"\n", add("*.b.example.com")},
		{"a name that is listed, in whatever spelling, is not listed again", "records:\n  - name: Bücher.Example.com.\n", "records:\n  - name: Bücher.Example.com.\n", add("xn--bcher-kva.example.com")},
		{"both types are written", "records:\n  - name: a.example.com\n", "records:\n  - name: a.example.com\n  - name: b.example.com\n    types: [A, AAAA]\n", Edit{Add: []Record{{Name: "b.example.com", Types: []string{"A", "AAAA"}}}}},
		{"a type that is missing comes alone", "records:\n  - name: a.example.com\n", "records:\n  - name: a.example.com\n  - name: a.example.com\n    types: [AAAA]\n", Edit{Add: []Record{{Name: "a.example.com", Types: []string{"A", "AAAA"}}}}},
		{"an entry goes with its lines, and leaves the comment of the next", "records:\n  - name: a.example.com\n    ttl: 60\n  # two\n  - name: b.example.com\n", "records:\n  # two\n  - name: b.example.com\n", Edit{Remove: []string{"a.example.com"}}},
		{"the last entry goes", "records:\n  - name: a.example.com\n# end\nverify: 5s\n", "records:\n# end\nverify: 5s\n", Edit{Remove: []string{"a.example.com"}}},
		{"what is not listed cannot go", "records:\n  - name: a.example.com\n", "records:\n  - name: a.example.com\n", Edit{Remove: []string{"b.example.com"}}},
		{"anchors stay", "records:\n  - &a {name: a.example.com, ttl: 60}\n", "records:\n  - &a {name: a.example.com, ttl: 60}\n  - name: b.example.com\n", add("b.example.com")},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := row.edit.apply([]byte(row.old))
			if diff := cmp.Diff(row.new, string(got)); err != nil || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", err, diff)
			}
			again, err := row.edit.apply(got)
			if err != nil || string(again) != string(got) {
				t.Errorf("done again it becomes %q, %v", again, err)
			}
		})
	}
}

// A second document would be cut off by an edit that reads the first alone.
func TestAFileOfTwoDocumentsIsNotEdited(t *testing.T) {
	for _, text := range []string{"verify: 5s\n---\nowner: me\n", "---\n---\nverify: 5s\n", "records: [{name: a.example.com}]\n...\nowner: me\n", "records:\n- name: a.example.com\n---\n"} {
		if got, err := (Edit{Add: []Record{{Name: "b.example.com"}}}).apply([]byte(text)); err == nil || !strings.Contains(err.Error(), "second part") {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

// Whatever is added to a file of whatever form can be taken out again, and
// nothing else changes on the way.
func TestWhatIsAddedCanBeTakenOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.StringMatching(`[a-z][a-z0-9]{0,5}`)
		olds := rapid.SliceOfNDistinct(label, 0, 4, rapid.ID[string]).Draw(t, "old")
		text := rapid.SampledFrom([]string{"", "# top\n", "verify: 5s\n\n"}).Draw(t, "head") + "records:\n"
		indent := rapid.SampledFrom([]string{"", "  ", "    "}).Draw(t, "indent")
		for _, name := range olds {
			text += indent + "- name: " + name + ".example.com\n"
			text += rapid.SampledFrom([]string{"", "\n", indent + "  ttl: 60\n", indent + "# note\n"}).Draw(t, "more")
		}
		text += rapid.SampledFrom([]string{"", "schedule: \"@every 30m\"\n", "# end\n"}).Draw(t, "tail")
		var edit Edit
		for _, name := range rapid.SliceOfNDistinct(label, 1, 4, rapid.ID[string]).Draw(t, "new") {
			if !slices.Contains(olds, name) {
				edit.Add = append(edit.Add, Record{Name: name + ".example.com"})
				edit.Remove = append(edit.Remove, name+".example.com")
			}
		}
		with, err := Edit{Add: edit.Add}.apply([]byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		without, err := Edit{Remove: edit.Remove}.apply(with)
		if err != nil || string(without) != text && strings.TrimSpace(string(without)) != strings.TrimSpace(text) {
			t.Fatalf("%q became %q and then %q, %v", text, with, without, err)
		}
	})
}

func TestEditingTheFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "cfddns.yaml")
	old := "records:\n  - name: a.example.com\n"
	if err := os.WriteFile(path, []byte(old), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	edit := Edit{Add: []Record{{Name: "b.example.com"}}}
	backup, err := EditFile(link, nil, edit, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(backup)
	if err != nil || string(kept) != old || filepath.Dir(backup) != dir {
		t.Errorf("kept %q in %s, %v", kept, backup, err)
	}
	for _, file := range []string{path, backup} {
		if info, err := os.Lstat(file); err != nil || info.Mode() != 0o640 {
			t.Errorf("%s has the mode %v, %v", file, info.Mode(), err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	c, _, err := Load(link, nil)
	if err != nil || len(c.Records) != 2 {
		t.Errorf("%v, %v", c.Records, err)
	}
	if backup, err := EditFile(link, nil, edit, time.Unix(1, 0)); err != nil || backup != "" {
		t.Errorf("done again it keeps %q, %v", backup, err)
	}
}

func TestWhatCannotBeEdited(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, row := range []struct {
		name, path string
		env        []string
		want       string
	}{
		{"there is no file", "", nil, "only the environment"},
		{"the environment lists the names", file("a.yaml", "verify: 5s\n"), []string{"CFDDNS_RECORDS=a.example.com"}, "the environment wins"},
		{"JSON", file("a.json", "{}"), nil, "no YAML"},
		{"no YAML at all", file("b.yaml", "records: ["), nil, "yaml"},
		{"a file that could not be read afterwards", file("c.yaml", "records:\n  - name: a.example.com\nnonsense: 1\n"), nil, "was not changed"},
		{"a file that is not there", filepath.Join(dir, "none.yaml"), nil, "no such file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := EditFile(row.path, row.env, Edit{Add: []Record{{Name: "b.example.com"}}}, time.Now())
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.bak-*")); len(left) > 0 {
		t.Errorf("files were kept although nothing was changed: %v", left)
	}
}

func TestShownNames(t *testing.T) {
	for name, want := range map[string]string{
		"xn--bcher-kva.example.com": "bücher.example.com", "*.xn--bcher-kva.example.com": "*.bücher.example.com",
		"home.example.com": "home.example.com", "_x.example.com": "_x.example.com", "xn--zz--.example.com": "xn--zz--.example.com",
	} {
		if got := Shown(name); got != want {
			t.Errorf("Shown(%s) = %s, want %s", name, got, want)
		}
	}
}

func FuzzEdit(f *testing.F) {
	for _, seed := range []string{"records:\n- name: a.example.com\n", "records: [{name: a.example.com}]\n", "a: &x [1]\nrecords: *x\n", "records: |\n  - name: a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		edit := Edit{Add: []Record{{Name: "new.example.com"}}}
		got, err := edit.apply([]byte(text))
		if err != nil {
			return
		}
		root, err := rootOf(got)
		if err != nil || !slices.ContainsFunc(root.Content, func(*yaml.Node) bool { return true }) {
			t.Fatalf("%q became %q, %v", text, got, err)
		}
		if again, err := edit.apply(got); err != nil || string(again) != string(got) {
			t.Fatalf("%q became %q and then %q, %v", text, got, again, err)
		}
	})
}
