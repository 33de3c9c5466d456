package ddns_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
)

// shelf is an API with a few zones, that counts what it is asked.
type shelf struct {
	zones   []ddns.Zone
	records []ddns.Record // nil: one at the first name
	whole   bool
	failed  error // of the zones
	broken  string
	asked   []string
}

func (s *shelf) Zones(context.Context) ([]ddns.Zone, error) {
	s.asked = append(s.asked, "zones")
	return s.zones, s.failed
}

func (s *shelf) Records(_ context.Context, z ddns.Zone, names []string) (ddns.Listing, error) {
	if z.Name == s.broken {
		return ddns.Listing{}, &ddns.Error{Kind: ddns.Unreachable, Op: "list records", Err: errors.New("HTTP 500")}
	}
	if s.records != nil {
		return ddns.Listing{Whole: s.whole, Records: s.records}, nil
	}
	return ddns.Listing{Whole: s.whole, Records: []ddns.Record{{ID: z.ID, Name: names[0], Type: "A", Content: oldHome}}}, nil
}

func (s *shelf) Holding(context.Context, ddns.Zone, string) ([]ddns.Record, error) { return nil, nil }

func (s *shelf) Habit(context.Context, ddns.Zone) ([]ddns.Record, error) { return []ddns.Record{}, nil }

func (s *shelf) Batch(context.Context, ddns.Zone, ddns.Batch) (ddns.BatchResult, error) {
	return ddns.BatchResult{}, errors.New("not to be written")
}

// look is one look, and what it read: the zones whose facts are new.
func (s *shelf) look(t *testing.T, known ddns.Found, now time.Time, names ...string) (ddns.Found, []string) {
	t.Helper()
	s.asked = nil
	found := ddns.Look(t.Context(), s, names, known, time.Hour, now)
	read := s.asked
	for _, z := range found.Zones {
		if z.ReadAt.Equal(now) {
			read = append(read, z.Zone.Name)
		}
	}
	return found, read
}

func zone(id, name string) ddns.Zone { return ddns.Zone{ID: id, Name: name, Status: "active"} }

func TestLook(t *testing.T) {
	com, net, child := zone("1", "example.com"), zone("2", "example.net"), zone("3", "lab.example.com")
	const home, other, below = "home.example.com", "home.example.net", "home.lab.example.com"
	at := func(d time.Duration) time.Time { return planTime.Add(d) }
	for _, tt := range []struct {
		name   string
		before []string // names that were looked at before, an hour ago or less
		age    time.Duration
		change func(*shelf)
		names  []string
		read   []string
		failed []string // zones
		lost   []string // names
	}{
		{name: "at first everything is read", names: []string{home, other}, read: []string{"zones", "example.com", "example.net"}},
		{name: "what is fresh is not read again", before: []string{home, other}, age: 59 * time.Minute, names: []string{home, other}},
		{name: "after an hour it is", before: []string{home, other}, age: time.Hour, names: []string{home, other}, read: []string{"example.com", "example.net"}},
		{name: "after a day the zones are listed too", before: []string{home}, age: 24 * time.Hour, names: []string{home}, read: []string{"zones", "example.com"}},
		{name: "facts of the future are not believed", before: []string{home}, age: -time.Minute, names: []string{home}, read: []string{"example.com"}},
		{name: "another name of a zone that was read whole is known", before: []string{home}, names: []string{"www.example.com"}, age: time.Minute},
		{name: "another name of a larger zone is read", before: []string{home}, names: []string{home, "www.example.com"}, age: time.Minute,
			change: func(s *shelf) { s.whole = false }, read: []string{"example.com"}},
		{name: "a name belongs to the deepest zone", names: []string{below}, change: func(s *shelf) { s.zones = append(s.zones, child) }, read: []string{"zones", "lab.example.com"}},
		{name: "a zone that cannot be read does not hold up another", names: []string{home, other}, change: func(s *shelf) { s.broken = "example.com" },
			read: []string{"zones", "example.net"}, failed: []string{"example.com"}},
		{name: "a name in no zone does not hold up another", names: []string{home, "home.example.org"}, read: []string{"zones", "example.com"}, lost: []string{"home.example.org"}},
		{name: "zones that cannot be listed are no zones that are gone", before: []string{home}, age: 24 * time.Hour, names: []string{home, other},
			change: func(s *shelf) { s.failed = errors.New("HTTP 500") }, read: []string{"zones", "example.com"}, lost: []string{other}},
		{name: "a zone that is gone is gone", before: []string{home, other}, age: 24 * time.Hour, names: []string{home, other},
			change: func(s *shelf) { s.zones = s.zones[:1] }, read: []string{"zones", "example.com"}, lost: []string{other}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{zones: []ddns.Zone{com, net}, whole: true}
			var known ddns.Found
			if tt.change != nil && tt.age < time.Hour {
				tt.change(s)
			}
			if tt.before != nil {
				known, _ = s.look(t, known, at(0), tt.before...)
			}
			if tt.change != nil && tt.age >= time.Hour {
				tt.change(s)
			}
			found, read := s.look(t, known, at(tt.age), tt.names...)
			if tt.before != nil && tt.age == 0 {
				t.Fatal("an age is missing")
			}
			if diff := cmp.Diff(tt.read, read); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.failed, keys(found.Failed)); diff != "" {
				t.Errorf("failed:\n%s", diff)
			}
			if diff := cmp.Diff(tt.lost, keys(found.Missing)); diff != "" {
				t.Errorf("missing:\n%s", diff)
			}
		})
	}
}

func keys(m map[string]error) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
