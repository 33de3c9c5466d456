package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptToken is the token of every script; no output may ever show it.
const scriptToken = "cfut_thisTokenMustShowInNoOutputAtAll0123456789"

func TestMain(m *testing.M) {
	testscript.Main(needing{m}, map[string]func(){"cfddns": main, "forger": forger})
}

// needing runs the tests with what they need, and the program that testscript
// has put into the first place of PATH.
type needing struct{ *testing.M }

// Run implements testscript.TestingM.
func (n needing) Run() int { return needs.Main(n.M, filepath.SplitList(os.Getenv("PATH"))[0]) }

// The scripts run the real program against a sandbox that each of them starts.
func TestScripts(t *testing.T) {
	testscript.Run(t, scriptsIn("script"))
}

// scriptsIn are the scripts of a directory of testdata, and what they may use.
func scriptsIn(dir string) testscript.Params {
	return testscript.Params{
		Dir: filepath.Join("testdata", dir),
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("CLOUDFLARE_API_TOKEN", scriptToken)
			env.Setenv("TOKEN", scriptToken)
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sandbox":   startSandbox,
			"control":   control,
			"waitfor":   waitFor,
			"noleak":    noLeak,
			"exitcode":  exitCode,
			"signal":    signalAll,
			"rollbacks": rollbacks,
			"sameworld": sameWorld,
			"pushplace": pushPlace,
			"push":      pushAs,
			"expand":    expand,
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	}
}

// sandbox [SEED] starts a sandbox and writes c.yaml, which uses it. Extra
// lines for the configuration are those of more.yaml, if it exists.
func startSandbox(ts *testscript.TestScript, _ bool, args []string) {
	config := sandbox.Config{Token: scriptToken}
	if len(args) == 1 {
		zones, err := sandbox.LoadSeed(strings.NewReader(ts.ReadFile(args[0])))
		ts.Check(err)
		config.Zones = zones
	}
	s, err := sandbox.Start(config)
	ts.Check(err)
	ts.Defer(s.Close)
	info := s.Info()
	info.CA, info.Token = ts.MkAbs("ca.pem"), ""
	ts.Check(os.WriteFile(info.CA, s.PEM(), 0o600))
	text := string(info.Configuration())
	text = strings.ReplaceAll(text, "  token: \"\"\n", "")
	text += fmt.Sprintf("control: %q\n", filepath.Join(ts.MkAbs("."), "s"))
	if more, err := os.ReadFile(ts.MkAbs("more.yaml")); err == nil {
		text += string(more)
	}
	if records, err := os.ReadFile(ts.MkAbs("records.yaml")); err == nil {
		before, rest, _ := strings.Cut(text, "records:\n")
		_, after, _ := strings.Cut(rest, "ip:\n")
		text = before + string(records) + "ip:\n" + after
	}
	ts.Check(os.WriteFile(ts.MkAbs("c.yaml"), []byte(text), 0o600))
	ts.Setenv("CONTROL", info.Control)
	ts.Setenv("API", info.API)
}

// control METHOD PATH [BODY] talks to the sandbox's control; its answer is
// compared by stdout.
func control(ts *testscript.TestScript, neg bool, args []string) {
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, args[0], ts.Getenv("CONTROL")+args[1], strings.NewReader(body))
	ts.Check(err)
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	ts.Check(err)
	if (response.StatusCode >= 300) != neg {
		ts.Fatalf("control %v answered %s: %s", args, response.Status, answer)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, answer, "", " ") == nil {
		answer = pretty.Bytes()
	}
	ts.Check(os.WriteFile(ts.MkAbs("answer"), answer, 0o600))
}

// waitfor TEXT COMMAND… runs the command until its output holds the text.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(2 * time.Minute)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for range look.C {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q did not show in: %s%s", args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}

// signal NAME… sends signals to what runs in the background.
func signalAll(ts *testscript.TestScript, _ bool, args []string) {
	known := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1}
	for _, name := range args {
		for _, cmd := range ts.BackgroundCmds() {
			ts.Check(cmd.Process.Signal(known[name]))
		}
	}
}

// noleak FILE… fails if the token shows in any of them.
func noLeak(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args {
		if strings.Contains(ts.ReadFile(file), scriptToken) {
			ts.Fatalf("%s shows the token", file)
		}
	}
}

// exitcode N COMMAND… fails unless the command ends with N. Its output shows no token.
func exitCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if coded, ok := err.(interface{ ExitCode() int }); ok {
		got = coded.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%v ended with %d, want %d\n%s%s", args[1:], got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
	noLeak(ts, false, []string{"stdout", "stderr"})
}
