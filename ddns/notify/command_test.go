package notify

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestACommandGetsItsInputAndItsVariables(t *testing.T) {
	file := fileIn(t)
	err := run(t.Context(), shell(`{ cat; echo "$OLD>$NEW"; } > "$1"`, file), []string{"OLD=a", "NEW=b c"}, []byte("document\n"))
	if err != nil {
		t.Fatal(err)
	}
	content, _ := os.ReadFile(file)
	if diff := cmp.Diff("document\na>b c\n", string(content)); diff != "" {
		t.Error(diff)
	}
}

func TestACommandNeverSeesOurSecrets(t *testing.T) {
	for name, value := range map[string]string{
		"CLOUDFLARE_API_TOKEN": "s3cret", "CLOUDFLARE_API_TOKEN_FILE": "/s3cret", "CF_API_TOKEN": "s3cret", "CLOUDFLARE_API_KEY": "s3cret",
		"CFDDNS_CLOUDFLARE_TOKEN": "s3cret", "CFDDNS_NOTIFY_PING": "https://s3cret", "CFDDNS_PUSH_PASSWORD": "s3cret", "CREDENTIALS_DIRECTORY": "/s3cret",
		"NTFY_TOKEN": "theirs", "CFDDNS_CONFIG": "/etc/cfddns.yaml",
	} {
		t.Setenv(name, value)
	}
	file := fileIn(t)
	if err := run(t.Context(), shell(`env > "$1"`, file), nil, nil); err != nil {
		t.Fatal(err)
	}
	content, _ := os.ReadFile(file)
	if strings.Contains(string(content), "s3cret") {
		t.Errorf("it sees a secret:\n%s", content)
	}
	if !strings.Contains(string(content), "NTFY_TOKEN=theirs") || !strings.Contains(string(content), "CFDDNS_CONFIG=") {
		t.Errorf("it lacks what is no secret of ours:\n%s", content)
	}
}

func TestACommandThatFailsSaysHow(t *testing.T) {
	cases := []struct {
		name string
		args []string
		want string
	}{
		{"an exit code", shell("exit 3", ""), "exit status 3"},
		{"no such program", []string{"/nowhere/tell-me", "s3cret"}, "tell-me: fork/exec /nowhere/tell-me: no such file or directory"},
		{"a script that kills itself", shell("kill -9 $$", ""), "signal: killed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := run(t.Context(), c.args, nil, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
				t.Error(err)
			}
		})
	}
	t.Run("one that does not read its input is well", func(t *testing.T) {
		if err := run(t.Context(), shell("exit 0", ""), nil, make([]byte, 1<<20)); err != nil {
			t.Error(err)
		}
	})
}

func TestACommandIsKilledWithAllItStarted(t *testing.T) {
	file := fileIn(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		defer cancel() // while the child runs
		eventually(t, func() bool {
			_, err := os.Stat(file)
			return err == nil
		})
	})
	err := run(ctx, shell(`sleep 3600 & echo $! > "$1.new"; mv "$1.new" "$1"; wait`, file), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Error(err)
	}
	content, _ := os.ReadFile(file)
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return gone(pid) })
}

// gone reports whether a process has ended; one that nobody waits for counts.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return syscall.Kill(pid, 0) != nil
	}
	return strings.Contains(string(stat), ") Z ")
}

// eventually waits for something that happens soon.
func eventually(t *testing.T, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !happened() {
		select {
		case <-tick.C:
		case <-end:
			t.Error("it did not happen")
			return
		}
	}
}
