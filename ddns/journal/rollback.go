package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/files"
)

// rollbackVersion is the version of the format of rollback files.
const rollbackVersion = 1

// rollbackPrefix begins the names of rollback files; the time follows.
const rollbackPrefix = "rollback-"

// rollbackMost bounds a rollback file that is read, in bytes.
const rollbackMost = 64 << 20

// rollbackFile is what a rollback file holds. The keys are a promise, since a
// person may need the file long after, without this program:
//
//	{"version":1,"written":"2026-01-02T03:04:05.678Z","records":[
//	  {"id":"…","name":"www.example.com","type":"CNAME","content":"home.duckdns.org",
//	   "proxied":true,"ttl":1,"comment":"","tags":[],"settings":{}}]}
//
// Each record has the fields of Cloudflare's API and can be sent there as it
// is, without its id. A migration adds what its way back needs to know: via,
// addresses, config and added, as in Rollback.
type rollbackFile struct {
	Version   int            `json:"version"`
	Written   time.Time      `json:"written"`
	Records   []rollbackItem `json:"records"`
	Via       string         `json:"via,omitempty"`
	Addresses []netip.Addr   `json:"addresses,omitempty"`
	Config    string         `json:"config,omitempty"`
	Added     []string       `json:"added,omitempty"`
}

// Rollback is what a rollback file holds.
type Rollback struct {
	Path      string
	Written   time.Time
	Records   []ddns.Record // as they stood before
	Via       string        // the name that the CNAMEs were pointed at; empty: they became addresses
	Addresses []netip.Addr  // of the home, when the file was written
	Config    string        // the configuration that the names were to be added to; empty: none
	Added     []string      // the names that it did not keep before
}

type rollbackItem struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Content  string          `json:"content"`
	Proxied  bool            `json:"proxied"`
	TTL      int             `json:"ttl"`
	Comment  string          `json:"comment"`
	Tags     []string        `json:"tags"`
	Settings json.RawMessage `json:"settings,omitempty"`
}

// RollbackIn keeps rollback files in the first of the directories that can be
// written, for a run that has no journal.
func RollbackIn(dirs ...string) ddns.Rollback { return places(dirs) }

// places are directories, the best first.
type places []string

// Keep implements ddns.Rollback.
func (p places) Keep(records []ddns.Record) (where string, err error) {
	return WriteRollback(p, Rollback{Records: records})
}

// Ready implements ddns.Rollback.
func (p places) Ready() error {
	var tried []string
	var causes []error
	for _, dir := range p {
		err := files.Makeable(dir)
		if err == nil {
			return nil
		}
		tried, causes = append(tried, notIn(dir, err)), append(causes, cause(err))
	}
	return none(tried, causes)
}

// notIn says why no file could be written to a directory.
func notIn(dir string, err error) string {
	return fmt.Sprintf("%s (%v: %s)", dir, cause(err), remedy(err))
}

// none is the error of directories that all did not do.
func none(tried []string, causes []error) error {
	if len(tried) == 0 {
		return errors.New("there is no directory for a rollback file: set state: to one that can be written")
	}
	return &unkept{tried: tried, causes: causes}
}

// WriteRollback writes a rollback file to the first of the directories that
// can be written, and returns once it is on disk. Where the newest file there
// says the same already, no other is written. The path and time of the file are
// chosen here. Its error names every directory that was tried.
func WriteRollback(dirs []string, file Rollback) (where string, err error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	file.Written = now
	content, err := encodeRollback(file)
	if err != nil {
		return "", fmt.Errorf("the old records could not be written down: %w", err)
	}
	var tried []string
	var causes []error
	for _, dir := range dirs {
		where, err := keepIn(dir, content, now)
		if err == nil {
			return where, nil
		}
		tried, causes = append(tried, notIn(dir, err)), append(causes, cause(err))
	}
	return "", none(tried, causes)
}

// unkept says in which directories no rollback file could be written.
type unkept struct {
	tried  []string
	causes []error
}

// Error implements error.
func (u *unkept) Error() string {
	return "no rollback file could be written to " + strings.Join(u.tried, ", nor to ")
}

// Unwrap returns the cause in each directory.
func (u *unkept) Unwrap() []error { return u.causes }

// kept returns the newest rollback file of a directory if it holds just what is
// to be kept, else nothing: who tries again and again keeps one file. Whatever
// cannot be read is no reason not to write another.
func kept(d *files.Dir, content []byte, now time.Time) (where string) {
	entries, _ := d.Entries() // sorted by name, and so by time
	for _, entry := range slices.Backward(entries) {
		if !isRollback(entry) {
			continue
		}
		file, err := readRollback(d, entry.Name())
		if err != nil {
			return ""
		}
		file.Written = now
		if same, err := encodeRollback(file); err != nil || !bytes.Equal(same, content) {
			return ""
		}
		return d.Path(entry.Name())
	}
	return ""
}

// isRollback reports whether an entry of a directory has the name of a rollback file.
func isRollback(entry fs.DirEntry) bool {
	name := entry.Name()
	return strings.HasPrefix(name, rollbackPrefix) && filepath.Ext(name) == ".json" && entry.Type().IsRegular()
}

// keepIn writes a new file in one step, unless the newest says the same, and
// returns once it and its name are on disk. A kill leaves no half of one.
func keepIn(dir string, content []byte, now time.Time) (where string, err error) {
	d, err := files.Make(dir)
	if err != nil {
		return "", err
	}
	defer d.Close()
	if where := kept(d, content, now); where != "" {
		return where, nil
	}
	d.Sweep(rollbackPrefix, time.Hour)
	for {
		name := rollbackPrefix + now.Format(asideTime) + ".json"
		err := d.New(name, content)
		if !errors.Is(err, fs.ErrExist) {
			return d.Path(name), err
		}
		now = now.Add(time.Millisecond) // no rollback file is ever overwritten
	}
}

func encodeRollback(r Rollback) ([]byte, error) {
	file := rollbackFile{Version: rollbackVersion, Written: r.Written, Records: []rollbackItem{}, Via: r.Via, Addresses: r.Addresses, Config: r.Config, Added: r.Added}
	for _, r := range r.Records {
		r.Tags = append([]string{}, r.Tags...)
		file.Records = append(file.Records, rollbackItem(r))
	}
	content, err := json.MarshalIndent(file, "", "  ")
	return append(content, '\n'), err
}

// Rollbacks returns what the rollback files of the directories hold, the
// newest first. A file that cannot be read is passed over: it can tell nothing.
func Rollbacks(dirs ...string) (found []Rollback) {
	for _, dir := range dirs {
		d, err := files.Open(dir)
		if err != nil {
			continue
		}
		entries, _ := d.Entries()
		for _, entry := range entries {
			if !isRollback(entry) {
				continue
			}
			if file, err := readRollback(d, entry.Name()); err == nil {
				found = append(found, file)
			}
		}
		d.Close()
	}
	slices.SortStableFunc(found, func(a, b Rollback) int { return b.Written.Compare(a.Written) })
	return found
}

// readRollback returns what a rollback file in a directory holds.
func readRollback(d *files.Dir, name string) (Rollback, error) {
	content, err := d.Read(name, rollbackMost)
	if err != nil {
		return Rollback{}, err
	}
	file, err := decodeRollback(content)
	file.Path = d.Path(name)
	return file, err
}

// OpenRollback returns what a rollback file holds that a person named.
func OpenRollback(path string) (Rollback, error) {
	f, err := files.OpenAtOnce(path)
	if err != nil {
		return Rollback{}, fmt.Errorf("the rollback file cannot be read: %w", err)
	}
	defer f.Close() // it was only read
	content, err := io.ReadAll(io.LimitReader(f, rollbackMost))
	if err != nil {
		return Rollback{}, fmt.Errorf("the rollback file cannot be read: %w", err)
	}
	file, err := decodeRollback(content)
	if err != nil {
		return Rollback{}, fmt.Errorf("%s is not a rollback file of cfddns: %w; nothing was changed", path, err)
	}
	file.Path = path
	return file, nil
}

func decodeRollback(content []byte) (Rollback, error) {
	var file rollbackFile
	if err := json.Unmarshal(content, &file); err != nil {
		return Rollback{}, err
	}
	if file.Version != rollbackVersion {
		return Rollback{}, fmt.Errorf("its version is %d, and this program knows version %d", file.Version, rollbackVersion)
	}
	r := Rollback{Written: file.Written, Via: file.Via, Addresses: file.Addresses, Config: file.Config, Added: file.Added,
		Records: make([]ddns.Record, len(file.Records))}
	for i, item := range file.Records {
		if item.Name == "" || item.Type == "" || item.Content == "" {
			return Rollback{}, fmt.Errorf("record %d has no name, no type or no content", i+1)
		}
		var settings bytes.Buffer
		if len(item.Settings) > 0 {
			if err := json.Compact(&settings, item.Settings); err != nil {
				return Rollback{}, err
			}
			item.Settings = settings.Bytes()
		}
		r.Records[i] = ddns.Record(item)
	}
	return r, nil
}
