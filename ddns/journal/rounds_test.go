package journal

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/ddns"
)

func TestOnlyRoundsThatSaySomethingAreKept(t *testing.T) {
	thin := func(i int) ddns.Report {
		r := quietRound(i)
		r.Conditions = []ddns.Condition{{Code: ddns.CodeRosterThin, Name: "ipv4"}}
		return r
	}
	again := func(r ddns.Report, of int) ddns.Report { r.ID = quietRound(of).ID; return r }
	cases := []struct {
		name   string
		rounds []ddns.Report
		kept   []string
	}{
		{"a quiet round is not", []ddns.Report{quietRound(1), quietRound(2)}, []string{}},
		{"every round that changed something is", []ddns.Report{changedRound(1), quietRound(2), changedRound(3)}, []string{"round-1", "round-3"}},
		{"a failing round is, and the one that is right again", []ddns.Report{failedRound(1), quietRound(2), quietRound(3)}, []string{"round-1", "round-2"}},
		{"of rounds that fail alike one in ten minutes is", []ddns.Report{failedRound(1), failedRound(2), failedRound(600), failedRound(601), failedRound(602)}, []string{"round-1", "round-601"}},
		{"a clock that was set back keeps the next failing one", []ddns.Report{failedRound(50), failedRound(1)}, []string{"round-50", "round-1"}},
		{"a condition that comes and goes is, and not while it stands", []ddns.Report{quietRound(1), thin(2), thin(3), quietRound(4)}, []string{"round-2", "round-4"}},
		{"a round that is proved later is kept again", []ddns.Report{changedRound(1), again(failedRound(1), 1)}, []string{"round-1", "round-1"}},
		{"a round looked at again without news is not", []ddns.Report{changedRound(1), changedRound(1), changedRound(1)}, []string{"round-1"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			j := open(t, t.TempDir())
			appendAll(t, j, c.rounds...)
			if diff := cmp.Diff(c.kept, ids(t, j, time.Time{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAOneShotKnowsWhatTheLastOneKept(t *testing.T) {
	thin := func(i int) ddns.Report {
		r := quietRound(i)
		r.Conditions = []ddns.Condition{{Code: ddns.CodeRosterThin, Name: "ipv4"}}
		return r
	}
	long := func(i int) ddns.Report {
		r := thin(i)
		r.Conditions[0].Title = strings.Repeat("x", 3*tailFirst)
		return r
	}
	line, err := json.Marshal(thin(1))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name         string
		before, file string // what stands there already: in the old file, and in the present one
		rounds       []ddns.Report
		kept         []string
	}{
		{"a warning that stands is kept once", "", "", []ddns.Report{thin(1), thin(2), thin(3), quietRound(4), thin(5)}, []string{"round-1", "round-4", "round-5"}},
		{"of rounds that fail alike one in ten minutes is", "", "", []ddns.Report{failedRound(1), failedRound(2), failedRound(601), failedRound(602)}, []string{"round-1", "round-601"}},
		{"a long line is found whole", "", "", []ddns.Report{long(1), thin(2)}, []string{"round-1"}},
		{"a torn line counts for nothing", "", string(line) + "\n" + string(line[:len(line)/2]), []ddns.Report{thin(2)}, []string{"round-1"}},
		{"a line that is no round counts for nothing", "", string(line) + "\nnull\n\n", []ddns.Report{thin(2)}, []string{"round-1"}},
		{"the file was turned over", string(line) + "\n", "", []ddns.Report{thin(2)}, []string{"round-1"}},
		{"nothing but rubbish is there", "\n", "{}\n\x00", []ddns.Report{thin(2)}, []string{"round-2"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.before != "" {
				write(t, filepath.Join(dir, oldRounds), c.before)
			}
			if c.file != "" {
				write(t, filepath.Join(dir, roundsFile), c.file)
			}
			for _, r := range c.rounds {
				appendAll(t, open(t, dir), r)
			}
			if diff := cmp.Diff(c.kept, ids(t, open(t, dir), time.Time{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARoundIsReadAsItWasKept(t *testing.T) {
	j := open(t, t.TempDir())
	want := changedRound(1)
	appendAll(t, j, want)
	for got, err := range j.Read(start) {
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
}

func TestReadBeginsAtAMomentAndEndsWhenToldTo(t *testing.T) {
	j := open(t, t.TempDir())
	appendAll(t, j, changedRound(1), changedRound(2), changedRound(3))
	if diff := cmp.Diff([]string{"round-2", "round-3"}, ids(t, j, start.Add(2*time.Second))); diff != "" {
		t.Error(diff)
	}
	for r := range j.Read(time.Time{}) {
		if r.ID != "round-1" {
			t.Errorf("went on with %s", r.ID)
		}
		break
	}
}

func TestATornLineIsKeptAndSkipped(t *testing.T) {
	line, err := json.Marshal(changedRound(1))
	if err != nil {
		t.Fatal(err)
	}
	whole := string(line) + "\n"
	cases := []struct {
		name, before string
		want         []string
	}{
		{"half a line", whole + whole[:len(whole)/2], []string{"round-1", "round-9"}},
		{"a line that lacks only its end", whole + string(line), []string{"round-1", "round-1", "round-9"}},
		{"zeros, as some file systems leave", whole + "\x00\x00\x00", []string{"round-1", "round-9"}},
		{"lines that are no rounds", "null\n{}\n[]\nhello\n\n", []string{"round-9"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, roundsFile), c.before)
			j := open(t, dir)
			appendAll(t, j, changedRound(9))
			if diff := cmp.Diff(c.want, ids(t, j, time.Time{})); diff != "" {
				t.Error(diff)
			}
			if !strings.HasPrefix(read(t, filepath.Join(dir, roundsFile)), c.before) {
				t.Error("what was there is gone")
			}
		})
	}
}

func TestTheJournalTurnsOverAndKeepsOneOldFile(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	big := strings.Repeat("x", turnAt/3)
	var want []string
	for i := range 9 {
		r := changedRound(i)
		r.Changes[0].Why = big
		appendAll(t, j, r)
		want = append(want, r.ID)
	}
	got := ids(t, j, time.Time{})
	if !slices.Equal(got, want[len(want)-len(got):]) || len(got) < 3 {
		t.Errorf("read %v", got)
	}
	found, _ := os.ReadDir(dir)
	for _, f := range found {
		if info, err := f.Info(); err != nil || info.Size() > turnAt {
			t.Errorf("%s: %d bytes, %v", f.Name(), info.Size(), err)
		}
	}
	if len(found) != 2 {
		t.Errorf("%d files", len(found))
	}
}

func TestARoundLargerThanTheJournalIsKept(t *testing.T) {
	j := open(t, t.TempDir())
	r := changedRound(1)
	r.Changes[0].Why = strings.Repeat("x", 2*turnAt)
	appendAll(t, j, r, changedRound(2))
	if diff := cmp.Diff([]string{"round-1", "round-2"}, ids(t, j, time.Time{})); diff != "" {
		t.Error(diff)
	}
}

func TestAJournalThatCannotBeReadSaysSo(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, roundsFile), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, err := range open(t, dir).Read(time.Time{}) {
		if err == nil {
			t.Error("a directory was read as a journal")
		}
	}
}

func FuzzRounds(f *testing.F) {
	line, err := json.Marshal(failedRound(1))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{line, line[:len(line)/2], append(slices.Clone(line), '\n'), []byte("\n\n"), bytes.Repeat([]byte{0}, 70000), nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		before := count(t, content)
		torn, err := isTorn(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		end := []byte{}
		if torn {
			end = []byte("\n")
		}
		if after := count(t, slices.Concat(content, end, line, []byte("\n"))); after != before+1 {
			t.Fatalf("%d rounds before, and %d with one more", before, after)
		}
	})
}

// count reads a journal and returns the number of its rounds.
func count(t testing.TB, content []byte) (n int) {
	t.Helper()
	_, err := eachRound(bytes.NewReader(content), time.Time{}, func(ddns.Report, error) bool { n++; return true })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func appendAll(t testing.TB, j *Journal, rounds ...ddns.Report) {
	t.Helper()
	for _, r := range rounds {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}
