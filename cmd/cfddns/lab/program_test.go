//go:build linux

package lab

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A voice keeps what a program prints; it may be read while the program writes.
type voice struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (v *voice) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text.Write(p)
}

// String is all that was said so far.
func (v *voice) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text.String()
}

// program is a running cfddns.
type program struct {
	l              *lab
	cmd            *exec.Cmd
	stdout, stderr *voice
	ended          chan struct{}
	code           int // once ended is closed; 128 and the number if a signal killed it
}

// start runs the program. It is killed at the end of the scenario, if it still runs.
func (l *lab) start(args ...string) *program {
	l.Helper()
	cmd := exec.Command(os.Getenv(labProgram), args...)
	cmd.Dir, cmd.Env = l.dir, l.env
	return l.launch(cmd)
}

// launch is start for a command that leads to the program, such as one that
// enters another network first.
func (l *lab) launch(cmd *exec.Cmd) *program {
	l.Helper()
	p := &program{l: l, cmd: cmd, stdout: new(voice), stderr: new(voice), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	l.mu.Lock()
	l.said = append(l.said, p.stdout, p.stderr)
	l.mu.Unlock()
	must(l.T, p.cmd.Start())
	go func() { // ends with the program, which the cleanup below waits for
		defer close(p.ended)
		err := p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			p.code = 128 + int(status.Signal())
		}
		if _, coded := errors.AsType[*exec.ExitError](err); err != nil && !coded {
			p.code = -1
		}
	}()
	l.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
		if l.Failed() {
			l.Logf("%s said:\n%s%s", strings.Join(cmd.Args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// signal sends a signal to a program that runs.
func (p *program) signal(s syscall.Signal) {
	p.l.Helper()
	must(p.l.T, p.cmd.Process.Signal(s))
}

// wait waits for the end of the program, and returns its exit code and how
// long it took.
func (p *program) wait(most time.Duration) (code int, took time.Duration) {
	p.l.Helper()
	began := time.Now()
	select {
	case <-p.ended:
		return p.code, time.Since(began)
	case <-time.After(busy * most):
		p.l.Fatalf("still runs after %s; it said:\n%s%s", busy*most, p.stdout, p.stderr)
		return 0, 0
	}
}

// runs reports whether the program has not ended.
func (p *program) runs() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// run runs the program to its end, and fails if it ends with another code.
func (l *lab) run(want int, args ...string) *program {
	l.Helper()
	p := l.start(args...)
	if code, _ := p.wait(30 * time.Second); code != want {
		l.Fatalf("cfddns %s ended with %d, want %d; it said:\n%s%s", strings.Join(args, " "), code, want, p.stdout, p.stderr)
	}
	return p
}
