package journal

import (
	"bytes"
	"encoding/json"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/files"
)

// tailFirst is how much of the end of a file is read at first, in bytes. Most
// rounds are shorter.
const tailFirst = 16 << 10

// lastKept is the last round that is kept, and false if there is none that can
// be read: the next round is then kept as if it were the first.
func lastKept(d *files.Dir) (ddns.Report, bool) {
	for _, name := range []string{roundsFile, oldRounds} {
		if r, ok := lastIn(d, name); ok {
			return r, true
		}
	}
	return ddns.Report{}, false
}

// lastIn is the last round in a file. The file is read from its end, since it
// may be long, and its reader a small machine.
func lastIn(d *files.Dir, name string) (ddns.Report, bool) {
	f, err := d.Open(name)
	if err != nil {
		return ddns.Report{}, false
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil {
		return ddns.Report{}, false
	}
	for more := int64(tailFirst); ; more *= 4 {
		from := max(info.Size()-more, 0)
		tail := make([]byte, info.Size()-from)
		if _, err := f.ReadAt(tail, from); err != nil {
			return ddns.Report{}, false
		}
		if r, ok := lastOf(tail); ok || from == 0 || more >= lineMost {
			return r, ok
		}
	}
}

// lastOf is the last round in the end of a file. A line that is cut in front is
// none, as one that is torn at its end.
func lastOf(tail []byte) (ddns.Report, bool) {
	for len(tail) > 0 {
		end := bytes.LastIndexByte(tail, '\n')
		var r ddns.Report
		if json.Unmarshal(tail[end+1:], &r) == nil && r.ID != "" {
			return r, true
		}
		tail = tail[:max(end, 0)]
	}
	return ddns.Report{}, false
}
