package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// LoadSeed reads the zones of a seed file:
//
//	zones:
//	  - name: example.com
//	    plan: free
//	    records:
//	      - {type: CNAME, name: www, content: myhome.duckdns.org, proxied: true}
//
// What a key means is said at SeedZone and SeedRecord. A key that is not known
// is an error, and so is what Cloudflare would refuse; both name the line.
func LoadSeed(r io.Reader) ([]SeedZone, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading the seed: %w", err)
	}
	var seed struct {
		Zones []SeedZone `yaml:"zones"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err = decoder.Decode(&seed)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("seed is empty; it needs at least: zones: [{name: example.com}]")
	case err != nil:
		return nil, fmt.Errorf("seed does not read: %w; "+
			"a zone has name, plan, records; a record has type, name, content, proxied, ttl, comment, tags", err)
	case len(seed.Zones) == 0:
		return nil, errors.New("seed has no zone; it needs at least: zones: [{name: example.com}]")
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("seed holds more than one document; put all zones into one list, zones: [...]")
	}
	if err := judgeSeed(seed.Zones, text); err != nil {
		return nil, err
	}
	return seed.Zones, nil
}

// judgeSeed tells whether Cloudflare would accept the zones, and if not, which
// line is wrong.
func judgeSeed(zones []SeedZone, text []byte) error {
	for i, seed := range zones {
		_, err := plantZone(seed, time.Now())
		var bad *seedError
		if !errors.As(err, &bad) {
			continue
		}
		path := []any{"zones", i}
		if bad.record >= 0 {
			path = append(path, "records", bad.record)
		}
		return fmt.Errorf("seed, line %d: %w", lineOf(text, path), err)
	}
	return nil
}

// lineOf finds the line of a YAML text at which a value starts; 0 if it cannot
// tell.
func lineOf(text []byte, path []any) int {
	var node yaml.Node
	if yaml.Unmarshal(text, &node) != nil || len(node.Content) == 0 {
		return 0
	}
	at := node.Content[0]
	for _, step := range path {
		next := child(at, step)
		if next == nil {
			return at.Line
		}
		at = next
	}
	return at.Line
}

// child is the value in a mapping under a key, or in a sequence at a place.
func child(n *yaml.Node, step any) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	for i := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode && step == any(i):
			return n.Content[i]
		case n.Kind == yaml.MappingNode && i%2 == 1 && step == any(n.Content[i-1].Value):
			return n.Content[i]
		}
	}
	return nil
}

// seedError is a zone or a record that Cloudflare would refuse.
type seedError struct {
	record int // place among the zone's records; -1 if it is the zone
	err    error
}

func (e *seedError) Error() string { return e.err.Error() }
func (e *seedError) Unwrap() error { return e.err }

// plantZone makes a zone from its seed, by the rules of the API.
func plantZone(seed SeedZone, now time.Time) (*zone, error) {
	name := foldName(seed.Name)
	if !validName(name) || !strings.Contains(name, ".") {
		return nil, &seedError{-1, fmt.Errorf("zone %q: that is no domain name; write it like example.com", seed.Name)}
	}
	if _, ok := planNamed(seed.Plan); !ok {
		return nil, &seedError{-1, fmt.Errorf("zone %s: plan %q is not known; take free, pro, business or enterprise", name, seed.Plan)}
	}
	z := &zone{
		ID: idOf("zone " + name), Name: name, Plan: seed.Plan, Status: "active", Type: "full",
		NameServers: []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"}, Created: now,
	}
	t := begin(z, now)
	for i, r := range seed.Records {
		f, err := r.fields()
		if err == nil {
			_, err = t.post(f)
		}
		if err != nil {
			return nil, &seedError{i, fmt.Errorf("zone %s, record %d (%s %s): %w", name, i+1, r.Type, r.Name, err)}
		}
	}
	t.commit()
	return z, nil
}

// fields writes a seed as a client would have written it.
func (r SeedRecord) fields() (fields, error) {
	body := map[string]any{"type": r.Type, "name": r.Name, "content": r.Content, "proxied": r.Proxied}
	if r.TTL != 0 {
		body["ttl"] = r.TTL
	}
	if r.Comment != "" {
		body["comment"] = r.Comment
	}
	if len(r.Tags) > 0 {
		body["tags"] = r.Tags
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	var f fields
	return f, json.Unmarshal(raw, &f)
}
