package journal

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/cfddns/cfddns/ddns"
)

// alike compares memories: an empty list and none are the same, and so are two
// ways to write one moment.
var alike = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})}

func TestStateOfAnyKindNeverStopsTheProgram(t *testing.T) {
	cases := []struct {
		name    string
		content string
		want    string // the one confirmed address
		note    string
		aside   bool
	}{
		{name: "a file of our version is read", content: `{"version":1,"IPv4":{"Confirmed":["203.0.113.7"]}}`, want: "203.0.113.7"},
		{name: "a later version that still looks like ours is read, and said", content: `{"version":7,"new":[1],"IPv4":{"Confirmed":["203.0.113.7"]}}`, want: "203.0.113.7", note: "of version 7"},
		{name: "a later version that does not is set aside", content: `{"version":7,"IPv4":"elsewhere"}`, note: "set aside as state.json.aside-", aside: true},
		{name: "an empty file, as a power cut leaves it, is set aside", content: "", note: "set aside", aside: true},
		{name: "a file of zeros is set aside", content: "\x00\x00\x00\x00", note: "set aside", aside: true},
		{name: "somebody else's JSON is set aside", content: `{"records":[]}`, note: "it names no version", aside: true},
		{name: "null is set aside", content: `null`, note: "it names no version", aside: true},
		{name: "two documents in one file are set aside", content: `{"version":1}{"version":1}`, note: "set aside", aside: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, stateFile), c.content)
			m, note, err := open(t, dir).Memory()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(note, c.note) || (note == "") != (c.note == "") {
				t.Errorf("the note is %q, and should speak of %q", note, c.note)
			}
			var want []netip.Addr
			if c.want != "" {
				want = []netip.Addr{netip.MustParseAddr(c.want)}
			}
			if diff := cmp.Diff(want, m.IPv4.Confirmed, alike); diff != "" {
				t.Error(diff)
			}
			aside, _ := filepath.Glob(filepath.Join(dir, stateFile+".aside-*"))
			if len(aside) == 1 != c.aside {
				t.Fatalf("set aside: %v", aside)
			}
			if c.aside && read(t, aside[0]) != c.content {
				t.Error("what was set aside is not what was there")
			}
		})
	}
}

func TestAMissingStateIsAnEmptyMemory(t *testing.T) {
	m, note, err := open(t, t.TempDir()).Memory()
	if diff := cmp.Diff(ddns.Memory{}, m, alike); diff != "" || note != "" || err != nil {
		t.Error(diff, note, err)
	}
}

func TestAStateThatCannotBeReadIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, stateFile), 0o700); err != nil { // reading it is an error, for root too
		t.Fatal(err)
	}
	j := open(t, dir)
	if _, _, err := j.Memory(); err == nil || !strings.Contains(err.Error(), "kept as it is") {
		t.Errorf("Memory: %v", err)
	}
	if err := j.Save(memoryOf(1)); err == nil || !strings.Contains(err.Error(), "not overwritten") {
		t.Errorf("Save: %v", err)
	}
}

func TestSaveWritesOnlyWhatDiffers(t *testing.T) {
	seen := func(after time.Duration) ddns.Memory {
		m := memoryOf(1)
		m.Kept = map[string]ddns.Kept{"home.example.com A": {Address: address(1), RecordID: "1", At: start.Add(after)}}
		m.Hops = map[string]ddns.HopSeen{"x.duckdns.org": {Addresses: []netip.Addr{address(1)}, At: start.Add(after)}}
		return m
	}
	refused := seen(0)
	refused.Refusals = map[string]ddns.Refusal{"home.example.com A": {Content: "x"}}
	cases := []struct {
		name   string
		second ddns.Memory
		writes bool
	}{
		{"the same memory is not written", seen(0), false},
		{"the same, seen again a moment later, is not written", seen(time.Hour), false},
		{"the same, seen on the next day, is written", seen(25 * time.Hour), true},
		{"a refusal more is written", refused, true},
		{"another address is written", memoryOf(2), true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir)
			first := save(t, j, seen(0))
			second := save(t, j, c.second)
			if wrote := !os.SameFile(first, second); wrote != c.writes {
				t.Errorf("written: %v", wrote)
			}
		})
	}
	t.Run("what was not seen to reach the disk is written again", func(t *testing.T) {
		j := open(t, t.TempDir())
		first := save(t, j, seen(0))
		j.doubt = true
		if os.SameFile(first, save(t, j, seen(0))) {
			t.Error("it was not")
		}
	})
	t.Run("what somebody removed is written again", func(t *testing.T) {
		j := open(t, t.TempDir())
		save(t, j, seen(0))
		if err := os.Remove(filepath.Join(j.dir, stateFile)); err != nil {
			t.Fatal(err)
		}
		save(t, j, seen(0))
	})
}

func TestTheStateIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	j := open(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	if info := save(t, j, memoryOf(1)); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
}

func TestOpenSweepsOnlyOldLeftovers(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, "."+stateFile+"1"), filepath.Join(dir, "."+stateFile+"2")
	write(t, old, "x")
	write(t, young, "x")
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*leftover)); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := os.Stat(old); err == nil {
		t.Error("what a kill left behind two hours ago is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("another process's temporary file was removed")
	}
}

func TestWhatIsSavedIsRemembered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		j, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		want := drawMemory(t)
		if err := j.Save(want); err != nil {
			t.Fatal(err)
		}
		got, note, err := j.Memory()
		if diff := cmp.Diff(want, got, alike); diff != "" || note != "" || err != nil {
			t.Fatal(diff, note, err)
		}
	})
}

func drawMemory(t *rapid.T) ddns.Memory {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		if rapid.Bool().Draw(t, "ipv6") {
			return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
		}
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "bytes")))
	})
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds"))
	})
	family := rapid.Custom(func(t *rapid.T) ddns.FamilyMemory {
		return ddns.FamilyMemory{
			Confirmed: rapid.SliceOf(addr).Draw(t, "confirmed"), Since: moment.Draw(t, "since"), Changes: rapid.SliceOf(moment).Draw(t, "changes"),
			Veto:      ddns.Veto{Said: rapid.String().Draw(t, "said"), Since: moment.Draw(t, "veto"), Rounds: rapid.Int().Draw(t, "rounds")},
			Overruled: rapid.SliceOf(rapid.String()).Draw(t, "overruled"),
			Damped:    ddns.Damped{Address: addr.Draw(t, "damped"), Dissent: rapid.SliceOf(rapid.String()).Draw(t, "dissent"), Confirmed: rapid.Int().Draw(t, "times")},
			Silent: rapid.MapOf(rapid.String(), rapid.Custom(func(t *rapid.T) ddns.Silence {
				return ddns.Silence{Since: moment.Draw(t, "silent since"), Rounds: rapid.Int().Draw(t, "silent for")}
			})).Draw(t, "silent"),
		}
	})
	return ddns.Memory{
		IPv4: family.Draw(t, "ipv4"), IPv6: family.Draw(t, "ipv6"),
		Kept: rapid.MapOf(rapid.String(), rapid.Custom(func(t *rapid.T) ddns.Kept {
			return ddns.Kept{Address: addr.Draw(t, "address"), RecordID: rapid.String().Draw(t, "id"), At: moment.Draw(t, "at"), Proxied: rapid.Bool().Draw(t, "proxied")}
		})).Draw(t, "kept"),
		Refusals: rapid.MapOf(rapid.String(), rapid.Custom(func(t *rapid.T) ddns.Refusal {
			return ddns.Refusal{Content: rapid.String().Draw(t, "content"), Until: moment.Draw(t, "until")}
		})).Draw(t, "refusals"),
		Wrote: rapid.MapOf(rapid.String(), moment).Draw(t, "wrote"),
		Raised: rapid.SliceOf(rapid.Custom(func(t *rapid.T) ddns.Condition {
			return ddns.Condition{Code: ddns.Code(rapid.String().Draw(t, "code")), Name: rapid.String().Draw(t, "name"), Since: moment.Draw(t, "since")}
		})).Draw(t, "raised"),
	}
}

func FuzzState(f *testing.F) {
	whole, err := json.Marshal(state{stateVersion, memoryOf(3)})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(whole), string(whole[:len(whole)/2]), "", "null", `{"version":2}`, `{"version":1,"Kept":{"a":{"At":"0000-01-01T00:00:00+14:00"}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		before, err := decodeState(content)
		if sameState(content, whole) && err != nil {
			t.Fatal("what does not load would not be replaced")
		}
		if err != nil {
			return
		}
		again, err := json.Marshal(before)
		if err != nil {
			t.Fatal(err)
		}
		after, err := decodeState(again)
		if diff := cmp.Diff(before, after, alike); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	})
}

// save saves, and returns the file that is there then.
func save(t testing.TB, j *Journal, m ddns.Memory) os.FileInfo {
	t.Helper()
	if err := j.Save(m); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(j.dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
