//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/configs"
)

func TestATokenFileThatHangsIsLookedAtLessAndLess(t *testing.T) {
	t.Parallel() // it waits for 5 s
	pipe := filepath.Join(t.TempDir(), "token")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			w.Close() // ends the reader
		}
	})
	d := &theDaemon{app: &app{env: []string{"CLOUDFLARE_API_TOKEN_FILE=" + pipe}}, parts: &parts{config: configs.Default()}, wantsToken: true}
	_, err := d.lookForToken(context.Background(), "")
	if !errors.Is(err, configs.ErrHangs) {
		t.Fatalf("got %v", err)
	}
	waited, looks := time.Duration(0), 0
	for wait := heedEvery; waited < 24*time.Hour; looks++ {
		wait = heedAgain(wait, err)
		waited += wait
	}
	if looks > 15 {
		t.Errorf("%d threads wait for the pipe after a day", looks)
	}
	if again := heedAgain(waited, nil); again != heedEvery {
		t.Errorf("a file that gives something is looked at after %s", again)
	}
}
