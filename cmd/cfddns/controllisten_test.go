//go:build unix

package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestALeftOverSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	first, err := listenControl(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenControl(t.Context(), path); !errors.Is(err, errHeld) {
		t.Errorf("a live socket: %v, want a refusal", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v (%v), want 0600", info.Mode(), err)
	}
	first.(*ownFile).Listener.Close() // as after a kill
	for name, make := range map[string]func(string) error{
		"a file":   func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"a folder": func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		other := filepath.Join(t.TempDir(), "other")
		if err := make(other); err != nil {
			t.Fatal(err)
		}
		if _, err := listenControl(t.Context(), other); err == nil || !strings.Contains(err.Error(), "left alone") {
			t.Errorf("%s at the path: %v, want a refusal", name, err)
		}
		if _, err := os.Lstat(other); err != nil {
			t.Errorf("%s at the path is gone", name)
		}
	}
	second, err := listenControl(t.Context(), path)
	if err != nil {
		t.Fatalf("a left-over socket: %v", err)
	}
	second.Close()
}

// A daemon that was stopped (SIGSTOP) or is overwhelmed takes no connections,
// and its kernel refuses more of them when the queue is full.
func TestTheSocketOfADaemonThatIsTooBusyStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	busy, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(busy)
	if err := unix.Bind(busy, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(busy, 0); err != nil {
		t.Fatal(err)
	}
	for range 4 { // more than the queue holds
		if conn, err := net.Dial("unix", path); err == nil {
			defer conn.Close()
		}
	}
	if _, err := listenControl(t.Context(), path); !errors.Is(err, errHeld) {
		t.Errorf("got %v, want a refusal", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket of the other is gone: %v", err)
	}
}

func TestOfDaemonsThatStartAtOnceOneGetsTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	for range 20 {
		left, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		left.(*net.UnixListener).SetUnlinkOnClose(false)
		left.Close()
		var mu sync.Mutex
		var got []net.Listener
		var starting sync.WaitGroup
		for range 4 {
			starting.Go(func() {
				if listener, err := listenControl(t.Context(), path); err == nil {
					mu.Lock()
					got = append(got, listener)
					mu.Unlock()
				}
			})
		}
		starting.Wait()
		if len(got) != 1 {
			t.Fatalf("%d daemons hold the socket", len(got))
		}
		if conn, err := net.Dial("unix", path); err != nil {
			t.Fatalf("nobody answers on the socket: %v", err)
		} else {
			conn.Close()
		}
		got[0].Close()
	}
}

func TestASocketThatCannotBeOpenedIsNotBlamedOnAnotherDaemon(t *testing.T) {
	const path = "/nonexistent/control.sock"
	_, err := listenControl(t.Context(), path)
	want := "could not be opened: " + syscall.ENOENT.Error() + "; let the user that cfddns runs as write to " + filepath.Dir(path)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Where there are no abstract names the socket is in a directory in /tmp.
func TestADirectoryInTmpIsUsedOnlyIfItIsThisUsersAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		plant func(path string) error
		good  bool
	}{
		"none yet":       {func(string) error { return nil }, true},
		"from before":    {func(p string) error { return os.Mkdir(p, 0o700) }, true},
		"open to others": {func(p string) error { return os.Mkdir(p, 0o755) }, false},
		"a file":         {func(p string) error { return os.WriteFile(p, nil, 0o600) }, false},
		"a link":         {func(p string) error { return os.Symlink(t.TempDir(), p) }, false},
	} {
		path := filepath.Join(t.TempDir(), "cfddns-0")
		if err := tt.plant(path); err != nil {
			t.Fatal(err)
		}
		if err := ownDirectory(path); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
