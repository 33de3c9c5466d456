package journal

import (
	"errors"
	"io/fs"
	"os"

	"github.com/cfddns/cfddns/ddns"
)

// Peek reads what a directory holds, for a person who asks why: the memory, and
// the rounds by way of the journal. Nothing is made, moved or swept there. A
// state that cannot be understood is an error, and stays where it is.
func Peek(dir string) (j *Journal, m ddns.Memory, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, ddns.Memory{}, err
	}
	j = &Journal{dir: dir}
	content, err := j.readState()
	if errors.Is(err, fs.ErrNotExist) {
		return j, ddns.Memory{}, nil
	}
	if err != nil {
		return nil, ddns.Memory{}, err
	}
	s, err := decodeState(content)
	return j, s.Memory, err
}
