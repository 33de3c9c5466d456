package notify

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/ddns"
)

func TestADayOfRoundsIsToldAsAPersonWantsIt(t *testing.T) {
	file := fileIn(t)
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Command: shell(`cat >> "$1"`, file)}, loopback{}, (&logged{}).logger(), summary)
		defer n.Close()
		at := time.Now()
		expect := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(append([]string{}, want...), words(messages(t, file))); diff != "" {
				t.Fatal(what, diff)
			}
			_ = os.Remove(file)
		}
		token, quorum := raised(ddns.CodeToken, "", at), raised(ddns.CodeNoQuorum, "ipv4", at)

		n.Report(roundAt("1", at, token, quorum))
		expect("at once", "raised token-refused")
		n.Report(roundAt("1", at, token, quorum))
		expect("the same round again")
		<-time.After(10*time.Minute - time.Second)
		expect("before the patience is over")
		<-time.After(2 * time.Second)
		expect("after it, with no new round", "raised no-quorum ipv4")
		n.Report(roundAt("2", time.Now(), quorum))
		expect("the token is good again", "cleared token-refused")
		n.Report(roundAt("3", time.Now(), raised(ddns.CodeUnreachable, "", time.Now())))
		expect("the quorum is back", "cleared no-quorum ipv4")
		n.Report(roundAt("4", time.Now()))
		<-time.After(time.Hour)
		expect("what passed before it was told")
	})
}

func TestTheDocumentHasAllThatAScriptNeeds(t *testing.T) {
	file := fileIn(t)
	n := New(Config{Command: shell(`cat > "$1.part"; mv "$1.part" "$1"`, file)}, loopback{}, (&logged{}).logger(), summary)
	defer n.Close()
	now := time.Now().UTC().Truncate(time.Second)
	condition := raised(ddns.CodeCNAME, "home.example.com A", now)
	n.Report(roundAt("18a", now, condition))
	eventually(t, func() bool { return len(messages(t, file)) == 1 })
	got := messages(t, file)[0]
	host, _ := os.Hostname()
	if age := got.At.Sub(now); age < 0 || age > time.Minute {
		t.Errorf("at is %v", got.At)
	}
	got.At = time.Time{}
	if diff := cmp.Diff(message{Event: "raised", Condition: condition, Host: host, Round: "18a"}, got); diff != "" {
		t.Error(diff)
	}
	content, _ := os.ReadFile(file)
	for _, key := range []string{`{"event":"raised","condition":{"code":"cname","severity":"alarm","name":"home.example.com A",`, `"hint":"hint"`, `"since":"`, `"host":"`, `"round":"18a"`, `"at":"`} {
		if !strings.Contains(string(content), key) {
			t.Errorf("%s is not in %s", key, content)
		}
	}
}

func TestOnChangeIsRunOnceForEachFamilyAndRound(t *testing.T) {
	file := fileIn(t)
	n := New(Config{OnChange: shell(`echo "$OLD $NEW $FAMILY $NAMES $ROUND" >> "$1"`, file)}, loopback{}, (&logged{}).logger(), summary)
	contradicted := changed("1", "203.0.113.1", "203.0.113.2")
	contradicted.Outcomes[0].State = ddns.Contradicted
	dry := changed("0", "203.0.113.0", "203.0.113.1")
	dry.Dry = true
	for _, round := range []ddns.Round{
		dry,
		contradicted, changed("1", "203.0.113.1", "203.0.113.2"), // seen by a later proof
		changed("1", "203.0.113.1", "203.0.113.2"), // and once more
		ended("2", ddns.Right),
		changed("3", "203.0.113.2", "203.0.113.3"),
	} {
		n.Report(round)
	}
	n.Close()
	content, _ := os.ReadFile(file)
	want := "203.0.113.1 203.0.113.2 ipv4 home.example.com 1\n203.0.113.2 203.0.113.3 ipv4 home.example.com 3\n"
	if diff := cmp.Diff(want, string(content)); diff != "" {
		t.Error(diff)
	}
}

func TestACommandThatHangsHoldsUpNobodyAndDiesWithUs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	n := New(Config{Command: shell(`echo $$ > "$1.part"; mv "$1.part" "$1"; sleep 300`, pids)}, loopback{}, (&logged{}).logger(), summary)
	n.Report(roundAt("1", time.Now(), raised(ddns.CodeToken, "", time.Now())))
	eventually(t, func() bool { _, err := os.Stat(pids); return err == nil })
	began := time.Now()
	for i := range 1000 {
		n.Report(roundAt(strconv.Itoa(i), time.Now(), raised(ddns.CodeToken, "", time.Now())))
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("a thousand reports took %v", took)
	}
	n.Close()
	n.Close() // twice is no harm
	if took := time.Since(began); took > closePatience+time.Second {
		t.Errorf("Close took %v", took)
	}
	content, _ := os.ReadFile(pids)
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || !gone(pid) {
		t.Errorf("process %d outlived Close: %v", pid, err)
	}
	n.Report(roundAt("late", time.Now())) // nor is a report after the end
}

func TestABrokenCommandIsLoggedOnceUntilItWorksAgain(t *testing.T) {
	broken := fileIn(t)
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		n := New(Config{Command: shell(`! test -e "$1"`, broken)}, loopback{}, log.logger(), summary)
		defer n.Close()
		for i := range 3 { // three tries of one condition, and of another
			n.Report(roundAt(strconv.Itoa(i), time.Now(), raised(ddns.CodeToken, "", time.Now()), raised(ddns.CodeCNAME, "a A", time.Now())))
			synctest.Wait()
		}
		if got := strings.Count(log.String(), "notify.command does not work"); got != 1 {
			t.Errorf("said %d times:\n%s", got, log)
		}
		_ = os.Remove(broken)
		n.Report(roundAt("9", time.Now(), raised(ddns.CodeNoZone, "a A", time.Now())))
		synctest.Wait()
		if !strings.Contains(log.String(), "notify.command works again") {
			t.Error(log)
		}
	})
}

func TestAReloadKeepsWhatWasTold(t *testing.T) {
	old, fresh := fileIn(t), fileIn(t)
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		n := New(Config{Command: shell(`cat >> "$1"; grep -q cname "$1" && exit 1 || true`, old)}, loopback{}, log.logger(), summary)
		defer n.Close()
		at := time.Now()
		token, cname, split := raised(ddns.CodeToken, "", at), raised(ddns.CodeCNAME, "a A", at), raised(ddns.CodeSplit, "ipv4", at)
		n.Report(roundAt("1", at, token))
		synctest.Wait()
		for range triesMost {
			n.Report(roundAt("2", at, token, cname, split))
			synctest.Wait()
		}
		n.Reconfigure(Config{Command: shell(`cat >> "$1"`, fresh)})
		<-time.After(10 * time.Minute) // no round comes, and the split has stood long enough
		synctest.Wait()
		if diff := cmp.Diff([]string{"raised cname a A", "raised split ipv4"}, words(messages(t, fresh))); diff != "" {
			t.Error("after the reload:", diff)
		}
		n.Report(roundAt("3", time.Now(), cname, split))
		synctest.Wait()
		if got := words(messages(t, fresh)); len(got) != 3 || got[2] != "cleared token-refused" {
			t.Errorf("what the old command was told is cleared with the new one: %q", got)
		}
	})
}

func TestCloseDropsWhatCannotBeTold(t *testing.T) {
	t.Parallel()
	file, log := fileIn(t), &logged{}
	n := New(Config{Command: shell(`cat >> "$1"; sleep 300`, file)}, loopback{}, log.logger(), summary)
	n.Report(roundAt("1", time.Now(), raised(ddns.CodeToken, "", time.Now()), raised(ddns.CodeCNAME, "a A", time.Now())))
	began := time.Now()
	n.Close()
	if took := time.Since(began); took > closePatience+time.Second {
		t.Errorf("Close took %v", took)
	}
	if got := words(messages(t, file)); len(got) > 1 || log.String() != "" {
		t.Errorf("told %q, logged %s", got, log)
	}
}

func TestCloseTellsWhatWaits(t *testing.T) {
	file := fileIn(t)
	n := New(Config{Command: shell(`cat >> "$1"`, file)}, loopback{}, (&logged{}).logger(), summary)
	n.Report(roundAt("1", time.Now(), raised(ddns.CodeToken, "", time.Now())))
	n.Close()
	if diff := cmp.Diff([]string{"raised token-refused"}, words(messages(t, file))); diff != "" {
		t.Error(diff)
	}
}
