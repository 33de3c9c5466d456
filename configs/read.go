package configs

import (
	"io"
	"io/fs"
	"os"
	"time"
)

// readPatience is how long a file may take to be read. What takes longer is a
// pipe that nobody writes into, or lies on a server that is away.
const readPatience = 5 * time.Second

// errDirectory is said of a directory where a file belongs.
const errDirectory = wrong("is a directory; name the file in it")

// ErrHangs is said of a file that gives nothing. Whoever meets it should not come
// again soon: a thread waits for the file until it gives something.
const ErrHangs = wrong("gives nothing; is it a pipe that nobody writes into, or on a server that is away?")

// contents is what a file holds, and who may read it.
type contents struct {
	data []byte
	mode fs.FileMode
}

// readUpTo reads a file, and a byte more than it may have if it has more. Even
// opening a pipe waits until somebody writes (fifo(7)), and no signal ends that.
func readUpTo(path string, most int64, patience time.Duration) (contents, error) {
	type result struct {
		contents
		err error
	}
	done := make(chan result, 1)
	go func() { // outlives us only while the file hangs
		c, err := readAll(path, most)
		done <- result{c, err}
	}()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case r := <-done:
		return r.contents, r.err
	case <-late.C:
		return contents{}, ErrHangs
	}
}

func readAll(path string, most int64) (contents, error) {
	f, err := os.Open(path)
	if err != nil {
		return contents{}, err
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil {
		return contents{}, err
	}
	if info.IsDir() {
		return contents{}, errDirectory
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	return contents{data, info.Mode()}, err
}
