package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// rollbackVersion is the version of the format of rollback files.
const rollbackVersion = 1

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
// is, without its id.
type rollbackFile struct {
	Version int            `json:"version"`
	Written time.Time      `json:"written"`
	Records []rollbackItem `json:"records"`
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

// Keep writes the records to a rollback file in the journal's directory, as
// ddns.Rollback asks.
func (j *Journal) Keep(records []ddns.Record) (where string, err error) {
	return RollbackIn(j.dir).Keep(records)
}

// RollbackIn keeps rollback files in the first of the directories that can be
// written, for a run that has no journal.
func RollbackIn(dirs ...string) ddns.Rollback { return places(dirs) }

// places are directories, the best first.
type places []string

// Keep implements ddns.Rollback. Where the newest file holds just these records
// already, no other is written. Its error names every directory that was tried.
func (p places) Keep(records []ddns.Record) (where string, err error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	content, err := encodeRollback(records, now)
	if err != nil {
		return "", fmt.Errorf("the old records could not be written down: %w", err)
	}
	var tried []string
	var causes []error
	for _, dir := range p {
		if where := kept(dir, content, now); where != "" {
			return where, nil
		}
		where, err := keepIn(dir, content, now)
		if err == nil {
			return where, nil
		}
		tried = append(tried, fmt.Sprintf("%s (%v: %s)", dir, cause(err), remedy(err)))
		causes = append(causes, cause(err))
	}
	if len(tried) == 0 {
		return "", errors.New("there is no directory for a rollback file: set state: to one that can be written")
	}
	return "", &unkept{tried: tried, causes: causes}
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
func kept(dir string, content []byte, now time.Time) (where string) {
	entries, _ := os.ReadDir(dir) // sorted by name, and so by time
	for _, entry := range slices.Backward(entries) {
		name := entry.Name()
		if !strings.HasPrefix(name, "rollback-") || filepath.Ext(name) != ".json" || !entry.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, name)
		records, err := ReadRollback(path)
		if err != nil {
			return ""
		}
		if same, err := encodeRollback(records, now); err != nil || !bytes.Equal(same, content) {
			return ""
		}
		return path
	}
	return ""
}

// keepIn writes a new file and returns once it and its name are on disk.
func keepIn(dir string, content []byte, now time.Time) (where string, err error) {
	if err := makeDir(dir); err != nil {
		return "", err
	}
	f, err := createRollback(dir, now)
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// createRollback creates the file of this millisecond, or of the next one that
// is free: a rollback file is never overwritten.
func createRollback(dir string, now time.Time) (*os.File, error) {
	for {
		path := filepath.Join(dir, "rollback-"+now.Format(asideTime)+".json")
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
		now = now.Add(time.Millisecond)
	}
}

func encodeRollback(records []ddns.Record, now time.Time) ([]byte, error) {
	file := rollbackFile{Version: rollbackVersion, Written: now, Records: []rollbackItem{}}
	for _, r := range records {
		r.Tags = append([]string{}, r.Tags...)
		file.Records = append(file.Records, rollbackItem(r))
	}
	content, err := json.MarshalIndent(file, "", "  ")
	return append(content, '\n'), err
}

// ReadRollback returns the records of a rollback file.
func ReadRollback(path string) ([]ddns.Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the rollback file cannot be read: %w", err)
	}
	defer f.Close() // it was only read
	content, err := io.ReadAll(io.LimitReader(f, rollbackMost))
	if err != nil {
		return nil, fmt.Errorf("the rollback file cannot be read: %w", err)
	}
	records, err := decodeRollback(content)
	if err != nil {
		return nil, fmt.Errorf("%s is not a rollback file of cfddns: %w; nothing was changed", path, err)
	}
	return records, nil
}

func decodeRollback(content []byte) ([]ddns.Record, error) {
	var file rollbackFile
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	if file.Version != rollbackVersion {
		return nil, fmt.Errorf("its version is %d, and this program knows version %d", file.Version, rollbackVersion)
	}
	records := make([]ddns.Record, len(file.Records))
	for i, item := range file.Records {
		if item.Name == "" || item.Type == "" || item.Content == "" {
			return nil, fmt.Errorf("record %d has no name, no type or no content", i+1)
		}
		var settings bytes.Buffer
		if len(item.Settings) > 0 {
			if err := json.Compact(&settings, item.Settings); err != nil {
				return nil, err
			}
			item.Settings = settings.Bytes()
		}
		records[i] = ddns.Record(item)
	}
	return records, nil
}
