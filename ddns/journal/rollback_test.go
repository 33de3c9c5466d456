package journal

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/ddns"
)

var hops = []ddns.Record{
	{ID: "id-1", Name: "www.example.com", Type: "CNAME", Content: "home.duckdns.org", Proxied: true, TTL: 1, Comment: "mine <3", Tags: []string{"a:b"}, Settings: json.RawMessage(`{"flatten_cname":false}`)},
	{ID: "id-2", Name: "*.example.com", Type: "CNAME", Content: "home.duckdns.org", TTL: 300, Tags: []string{}},
}

func TestWhatWasReplacedCanBeReadBackWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "place")
	where, err := RollbackIn(dir).Keep(hops)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^rollback-\d{8}T\d{6}\.\d{3}Z\.json$`).MatchString(filepath.Base(where)) {
		t.Errorf("it is called %s", where)
	}
	if info, err := os.Stat(where); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	got, err := OpenRollback(where)
	if diff := cmp.Diff(hops, got.Records); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestTheKeysOfARollbackFileAreAPromise(t *testing.T) {
	where, err := RollbackIn(t.TempDir()).Keep(hops[:1])
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal([]byte(read(t, where)), &file); err != nil {
		t.Fatal(err)
	}
	if _, ok := file["written"].(string); !ok {
		t.Errorf("written is %v", file["written"])
	}
	delete(file, "written")
	want := map[string]any{"version": 1.0, "records": []any{map[string]any{
		"id": "id-1", "name": "www.example.com", "type": "CNAME", "content": "home.duckdns.org", "proxied": true, "ttl": 1.0,
		"comment": "mine <3", "tags": []any{"a:b"}, "settings": map[string]any{"flatten_cname": false}}}}
	if diff := cmp.Diff(want, file); diff != "" {
		t.Error(diff)
	}
}

func TestARollbackFileIsNeverOverwritten(t *testing.T) {
	places := RollbackIn(t.TempDir())
	seen := map[string]bool{}
	for i := range 20 {
		where, err := places.Keep(hops[i%2:])
		if err != nil || seen[where] {
			t.Fatal(where, err)
		}
		seen[where] = true
	}
}

func TestTheSameRecordsAreKeptOnce(t *testing.T) {
	dir := t.TempDir()
	keep := func(records []ddns.Record) string {
		t.Helper()
		where, err := RollbackIn(dir).Keep(records)
		if err != nil {
			t.Fatal(err)
		}
		return where
	}
	first := keep(hops)
	if again := keep(hops); again != first {
		t.Errorf("the same was kept twice, in %s and %s", first, again)
	}
	other := slices.Clone(hops)
	other[0].Comment = "another"
	second := keep(other)
	third := keep(hops) // the newest holds something else
	if second == first || third == first || third == second {
		t.Errorf("%s, %s, %s", first, second, third)
	}
	write(t, third, "torn")
	if fourth := keep(hops); fourth == third || read(t, third) != "torn" {
		t.Errorf("a file that cannot be read is taken for the records: %s", fourth)
	}
}

func TestRollbackTakesTheFirstPlaceThatWorks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	good := t.TempDir()
	where, err := RollbackIn(file, good, t.TempDir()).Keep(hops)
	if err != nil || filepath.Dir(where) != good {
		t.Error(where, err)
	}
	_, err = RollbackIn(file, filepath.Join(file, "below")).Keep(hops)
	if err == nil || !strings.Contains(err.Error(), file+" (") || !strings.Contains(err.Error(), file+"/below (") {
		t.Errorf("it does not name both places: %v", err)
	}
	if _, err := RollbackIn().Keep(hops); err == nil {
		t.Error("there was no place at all, and no error")
	}
}

func TestAFileThatIsNoRollbackFileIsRefused(t *testing.T) {
	cases := map[string]string{
		"a later version":       `{"version":2,"records":[]}`,
		"a state file":          `{"version":1,"records":[{"id":"x"}]}`,
		"half a file":           `{"version":1,"rec`,
		"nothing":               ``,
		"records of other type": `{"version":1,"records":[{"name":3}]}`,
	}
	for name, content := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			write(t, path, content)
			if _, err := OpenRollback(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Error(err)
			}
		})
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRollback(pipe); err == nil { // and nobody is waited for
		t.Error("a pipe that nobody writes into is a rollback file")
	}
	if _, err := OpenRollback(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}

func FuzzRollback(f *testing.F) {
	content, err := encodeRollback(Rollback{Records: hops, Written: start})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(content), string(content[:50]), `{"version":1,"records":[{"name":"a","type":"A","content":"c","settings":null}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := decodeRollback(content)
		if err != nil {
			return
		}
		again, err := encodeRollback(file)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeRollback(again)
		if err != nil || len(back.Records) != len(file.Records) || back.Via != file.Via || !slices.Equal(back.Addresses, file.Addresses) {
			t.Fatalf("%+v became %+v, %v", file, back, err)
		}
		for i, r := range back.Records {
			if was := file.Records[i]; r.Content != was.Content || r.Name != was.Name {
				t.Fatalf("%v became %v", was, r)
			}
		}
	})
}

func TestWhatAMigrationNeedsForItsWayBack(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	want := Rollback{Records: hops, Via: "home.example.com", Addresses: []netip.Addr{netip.MustParseAddr("45.67.89.10")}, Config: "/etc/cfddns/cfddns.yaml", Added: []string{"www.example.com"}}
	where, err := WriteRollback([]string{dir, other}, want)
	if err != nil || filepath.Dir(where) != dir {
		t.Fatal(where, err)
	}
	if again, err := WriteRollback([]string{dir}, want); again != where || err != nil {
		t.Errorf("the same again went to %s, %v", again, err)
	}
	want.Via = ""
	if _, err := WriteRollback([]string{other}, want); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rollback-1.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := Rollbacks(dir, other, filepath.Join(dir, "none"))
	if len(files) != 2 || files[0].Written.Before(files[1].Written) {
		t.Fatalf("%+v: the newest comes first, what cannot be read is passed over", files)
	}
	got, err := OpenRollback(where)
	if err != nil || got.Via != "home.example.com" || got.Path != where {
		t.Fatalf("%+v, %v", got, err)
	}
	want.Via, want.Path, want.Written = got.Via, got.Path, got.Written
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
