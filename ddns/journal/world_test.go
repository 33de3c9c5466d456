package journal

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

// childEnv makes the test binary do something else than test: what it is to
// do, in the directory that is its first argument.
const childEnv = "CFDDNS_JOURNAL_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "loop":
		loopForEver(os.Args[1])
	case "once":
		sayWhatHappens(os.Args[1])
	default:
		os.Exit(needs.Main(m))
	}
}

// loopForEver saves and appends, and says each number once both are acknowledged.
func loopForEver(dir string) {
	j, err := Open(dir)
	for i := 0; err == nil; i++ {
		if err = j.Save(memoryOf(i)); err == nil {
			err = j.Append(changedRound(i))
		}
		if err == nil {
			fmt.Println(i)
		}
	}
	fmt.Println(err)
}

// happened is what a child tells of one call of everything.
type happened struct{ Open, Save, Append, Keep string }

// sayWhatHappens opens, saves, appends and keeps once, and prints the errors.
func sayWhatHappens(dir string) {
	var h happened
	j, err := Open(dir)
	h.Open = text(err)
	if err == nil {
		h.Save = text(j.Save(memoryOf(2)))
		h.Append = text(j.Append(changedRound(2)))
		_, err = RollbackIn(dir).Keep([]ddns.Record{{ID: "1", Name: "a.example.com", Type: "CNAME", Content: "x.duckdns.org"}})
		h.Keep = text(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(h)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func open(t testing.TB, dir string) *Journal {
	t.Helper()
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

var start = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
}

func memoryOf(i int) ddns.Memory {
	return ddns.Memory{
		IPv4: ddns.FamilyMemory{Confirmed: []netip.Addr{address(i)}, Since: start},
		Kept: map[string]ddns.Kept{"home.example.com A": {Address: address(i), RecordID: fmt.Sprint(i), At: start}},
	}
}

func quietRound(i int) ddns.Report {
	return ddns.Report{ID: fmt.Sprint("round-", i), Started: start.Add(time.Duration(i) * time.Second), Trigger: ddns.BySchedule,
		Targets: []ddns.TargetReport{{Zone: "example.com", Name: "home.example.com", Type: "A", State: ddns.Right}}}
}

func changedRound(i int) ddns.Report {
	r := quietRound(i)
	r.Targets[0].State = ddns.Changed
	r.Changes = []ddns.ChangeReport{{Op: ddns.Update, Name: "home.example.com", Type: "A", Receipt: ddns.Confirmed,
		Before: &ddns.RecordReport{Type: "A", Content: address(i).String()}, After: &ddns.RecordReport{Type: "A", Content: address(i + 1).String()}}}
	return r
}

func failedRound(i int) ddns.Report {
	r := quietRound(i)
	r.Targets[0].State, r.Exit = ddns.Unreached, ddns.ExitUnreached
	r.Conditions = []ddns.Condition{{Code: ddns.CodeUnreachable, Severity: ddns.Warning, Title: "no answer", Since: start}}
	return r
}

// ids reads the journal and returns the ids of its rounds, in order.
func ids(t testing.TB, j *Journal, since time.Time) []string {
	t.Helper()
	found := []string{}
	for r, err := range j.Read(since) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r.ID)
	}
	return found
}
