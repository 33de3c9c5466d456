//go:build unix

package configs

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestAPipeThatNobodyWritesIntoIsNotWaitedForInVain(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readUpTo(pipe, maxToken, 50*time.Millisecond)
	if !errors.Is(err, ErrHangs) || !errors.Is(unreadable(err), ErrHangs) {
		t.Errorf("got %v", err)
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for range 6000 { // the reader may be given up before it has opened the pipe
		w, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			w.Close() // ends the reader
			return
		}
		<-look.C
	}
	t.Error("the reader is not there any more")
}

func TestAPipeThatSomebodyWritesIntoIsReadToItsEnd(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(pipe, []byte("token\n"), 0o600) }()
	file, err := readUpTo(pipe, maxToken, time.Minute)
	if string(file.data) != "token\n" || err != nil {
		t.Errorf("got %q, %v", file.data, err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}
