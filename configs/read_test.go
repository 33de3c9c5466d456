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
	if w, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err != nil {
		t.Errorf("the reader is not there any more: %v", err)
	} else {
		w.Close() // ends the reader
	}
}

func TestAPipeThatSomebodyWritesIntoIsReadToItsEnd(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(pipe, []byte("token\n"), 0o600) }()
	file, err := readUpTo(pipe, maxToken, 10*time.Second)
	if string(file.data) != "token\n" || err != nil {
		t.Errorf("got %q, %v", file.data, err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}
