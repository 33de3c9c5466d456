package sandbox

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// fields is a record as a client wrote it: which fields are there matters,
// since an edit keeps those that are not. Fields that Cloudflare does not know
// (or that only it sets) are ignored, as it ignores them.
type fields map[string]json.RawMessage

// id is the record that an operation of a batch is about.
func (f fields) id() string {
	var id string
	_ = json.Unmarshal(f["id"], &id) // anything else than a word is no record's ID
	return id
}

// has tells whether a field is there; null counts as absent but for those
// that it empties (comment and tags).
func (f fields) has(name string) bool {
	raw, ok := f[name]
	return ok && !bytes.Equal(raw, []byte("null"))
}

// text reads a field that must be a word.
func (f fields) text(name string, into *string) error {
	if !f.has(name) {
		return nil
	}
	if json.Unmarshal(f[name], into) != nil {
		return errBody()
	}
	return nil
}

// writeTo puts the fields into a record; those that are absent stay. What they
// mean together is judged by (*record).settle.
func (f fields) writeTo(r *record, p plan) error {
	for name, into := range map[string]*string{"type": &r.Type, "name": &r.Name, "content": &r.Content} {
		if err := f.text(name, into); err != nil {
			return err
		}
	}
	steps := []func(*record, plan) error{f.writeTTL, f.writeFlags, f.writeComment, f.writeTags, f.writeParts}
	for _, step := range steps {
		if err := step(r, p); err != nil {
			return err
		}
	}
	return nil
}

func (f fields) writeTTL(r *record, p plan) error {
	if !f.has("ttl") {
		return nil
	}
	var ttl float64
	if json.Unmarshal(f["ttl"], &ttl) != nil {
		return invalid(9022, "TTL must be a number, not a string.")
	}
	if ttl != 1 && (ttl < float64(p.minTTL) || ttl > 86400 || ttl != float64(int(ttl))) {
		return invalid(9021, "TTL must be between %d and 86400 seconds, or 1 for Automatic.", p.minTTL)
	}
	r.TTL = int(ttl)
	return nil
}

func (f fields) writeFlags(r *record, _ plan) error {
	if f.has("proxied") && json.Unmarshal(f["proxied"], &r.Proxied) != nil {
		return invalid(9003, "Invalid 'proxied' value, must be a boolean.")
	}
	if f.has("private_routing") && json.Unmarshal(f["private_routing"], &r.Private) != nil {
		return errBody()
	}
	return nil
}

func (f fields) writeComment(r *record, p plan) error {
	if _, ok := f["comment"]; !ok {
		return nil
	}
	r.Comment = ""
	if err := f.text("comment", &r.Comment); err != nil {
		return err
	}
	if utf8.RuneCountInString(r.Comment) > p.comment {
		return invalid(9313, "DNS record comment exceeds the maximum length of %d characters.", p.comment)
	}
	return nil
}

// A tag is name:value, or a name alone.
// https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/
var tagForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}(:.{0,100})?$`)

func (f fields) writeTags(r *record, p plan) error {
	raw, ok := f["tags"]
	if !ok {
		return nil
	}
	var tags []string
	if json.Unmarshal(raw, &tags) != nil {
		return errBody()
	}
	if len(tags) > p.tags {
		return invalid(9300, "DNS record has %d tags, exceeding the quota of %d.", len(tags), p.tags)
	}
	for _, tag := range tags {
		if !tagForm.MatchString(tag) {
			return invalid(9301, "DNS record tag %s is invalid.", strconv.Quote(tag))
		}
	}
	r.Tags = tags
	return nil
}

// writeParts reads what only some types have: settings, priority, data.
func (f fields) writeParts(r *record, _ plan) error {
	for name, into := range map[string]*json.RawMessage{"settings": &r.Settings, "data": &r.Data} {
		if !f.has(name) {
			continue
		}
		var object map[string]json.RawMessage
		var compact bytes.Buffer
		if json.Unmarshal(f[name], &object) != nil || json.Compact(&compact, f[name]) != nil {
			return errBody()
		}
		*into = nil
		if len(object) > 0 {
			*into = compact.Bytes()
		}
	}
	// Content and data say the same in two ways: what is sent alone outdates the other.
	switch {
	case f.has("data") && !f.has("content"):
		r.Content = ""
	case f.has("content") && !f.has("data"):
		r.Data = nil
	}
	if !f.has("priority") {
		return nil
	}
	var priority uint16
	if json.Unmarshal(f["priority"], &priority) != nil {
		return errBody()
	}
	n := int(priority)
	r.Priority = &n
	return nil
}
