package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cfddns/cfddns/sandbox"
	"github.com/spf13/cobra"
)

// everyCommand are the commands of the tree, as they are called.
func everyCommand(root *cobra.Command) (calls [][]string) {
	for _, c := range root.Commands() {
		call := strings.Fields(c.CommandPath())[1:]
		calls = append(append(calls, call), everyCommand(c)...)
	}
	return calls
}

func TestBadArgumentsOfEveryCommandAreOneDocumentAndCode2(t *testing.T) {
	for _, call := range append(everyCommand((&app{stdout: io.Discard, stderr: io.Discard}).root()), nil) {
		for _, bad := range [][]string{{"--foo"}, {"--foo=1"}, {"-Z"}, {"--config"}, {"--log-level", "loud"}} {
			for _, place := range []string{"after", "before", "joined"} {
				args := append(append([]string{}, call...), bad...)
				switch place {
				case "after":
					if bad[0] == "--config" {
						continue // it would take the next word
					}
					args = append(args, "--output", "json")
				case "before":
					args = append([]string{"--output", "json"}, args...)
				case "joined":
					args = append([]string{"--output=json"}, args...)
				}
				mustBeUsage(t, args)
			}
		}
	}
}

func TestAWordThatIsNoCommandIsAMistake(t *testing.T) {
	calls := []string{"nosuch", "help nosuch", "help waf nosuch", "help once nosuch"}
	root := (&app{stdout: io.Discard, stderr: io.Discard}).root()
	for _, c := range root.Commands() {
		if c.HasSubCommands() {
			calls = append(calls, c.Name()+" nosuch")
		}
	}
	for _, call := range calls {
		mustBeUsage(t, append(strings.Fields(call), "--output", "json"))
	}
	for _, call := range []string{"help", "help once", "help waf allow", "waf", "completion", "under-attack", ""} {
		var said, out bytes.Buffer
		if code := cfddns(strings.Fields(call), &app{stdout: &output{to: &out}, stderr: &said}); code != 0 || !strings.Contains(out.String(), "Usage:") {
			t.Errorf("%q ended with %d: %s", call, code, said.String())
		}
	}
}

func mustBeUsage(t *testing.T, args []string) {
	t.Helper()
	var said, out bytes.Buffer
	code := cfddns(args, &app{stdout: &output{to: &out}, stderr: &said})
	var doc failure
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	err := d.Decode(&doc)
	if _, end := d.Token(); err != nil || !errors.Is(end, io.EOF) || doc.Exit != 2 || doc.Error == "" || code != 2 || said.Len() == 0 {
		t.Errorf("cfddns %q ended with %d and printed %+v (%v, %v); it said %q", args, code, doc, err, end, said.String())
	}
}

// A signal ends a one-shot while it waits for an API that hangs: what its
// document says of the exit code is how the process ends.
func TestADocumentSaysHowTheProcessEnds(t *testing.T) {
	world, err := sandbox.Start(sandbox.Config{Token: scriptToken})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	for _, args := range []string{"once", "once --dry-run", "check", "waf status", "under-attack status", "migrate", "doctor www.example.com"} {
		t.Run(args, func(t *testing.T) {
			asked := make(chan struct{}, 1)
			api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case asked <- struct{}{}:
				default:
				}
				<-r.Context().Done()
			}))
			defer api.Close()
			info := world.Info()
			info.CA = filepath.Join(t.TempDir(), "ca.pem")
			text := strings.ReplaceAll(string(info.Configuration()), info.API, api.URL)
			config := filepath.Join(filepath.Dir(info.CA), "c.yaml")
			if err := errors.Join(os.WriteFile(info.CA, world.PEM(), 0o600), os.WriteFile(config, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cmd := &exec.Cmd{Path: os.Args[0], Args: append([]string{"cfddns", "--output", "json", "--config", config}, strings.Fields(args)...),
				Env: os.Environ(), Stdout: &out}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-asked
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			var doc struct{ Exit int }
			if err := json.Unmarshal(out.Bytes(), &doc); err != nil || doc.Exit != 143 || cmd.ProcessState.ExitCode() != 143 {
				t.Errorf("ended with %d, and its document says %d (%v):\n%s", cmd.ProcessState.ExitCode(), doc.Exit, err, out.Bytes())
			}
		})
	}
}
