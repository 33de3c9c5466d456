package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestBatchIsDoneInOrderAndAnswersWholeRecords(t *testing.T) {
	s := stateOnly(t, SeedZone{Name: "example.com", Records: []SeedRecord{
		{Type: "CNAME", Name: "home", Content: "myhome.duckdns.org", Proxied: true},
		{Type: "A", Name: "old", Content: "45.67.89.9"},
		{Type: "A", Name: "put", Content: "45.67.89.9", Comment: "gone after a PUT"},
	}})
	r := s.zones[0].Records
	body := fmt.Sprintf(`{
		"posts":[{"type":"A","name":"home","content":"45.67.89.10","proxied":true}],
		"puts":[{"id":%q,"type":"A","name":"put","content":"45.67.89.10"}],
		"patches":[{"id":%q,"content":"45.67.89.10"}],
		"deletes":[{"id":%q}]}`, r[2].ID, r[1].ID, r[0].ID)
	var done batchView
	callAPI(t, s, "POST", zonePath(s, "/dns_records/batch"), body).into(t, &done)
	if len(done.Deletes) != 1 || done.Deletes[0].Content != "myhome.duckdns.org" || len(done.Puts) != 1 ||
		len(done.Patches) != 1 || done.Patches[0].Content != "45.67.89.10" || len(done.Posts) != 1 || done.Posts[0].ID == "" {
		t.Errorf("got %+v", done)
	}
	want := []string{
		`old.example.com A 45.67.89.10 ttl=1 proxied=false "" []`,
		`put.example.com A 45.67.89.10 ttl=1 proxied=false "" []`,
		`home.example.com A 45.67.89.10 ttl=1 proxied=true "" []`,
	}
	if diff := cmp.Diff(want, contents(t, s)); diff != "" {
		t.Error(diff)
	}
}

func TestBatchWithAMistakeChangesNothing(t *testing.T) {
	seed := SeedZone{Name: "example.com", Records: []SeedRecord{
		{Type: "CNAME", Name: "home", Content: "myhome.duckdns.org"}, {Type: "A", Name: "www", Content: "45.67.89.9"},
	}}
	for _, test := range []struct {
		name, body   string // $0, $1 are the IDs of the records
		status, code int
	}{
		{"a record that is not there", `{"deletes":[{"id":"$0"},{"id":"00000000000000000000000000000000"}]}`, 404, 81044},
		{"one record twice", `{"deletes":[{"id":"$0"},{"id":"$0"}]}`, 404, 81044},
		{"a patch of what was deleted", `{"deletes":[{"id":"$0"}],"patches":[{"id":"$0","content":"a.example.org"}]}`, 404, 81044},
		{"no ID at all", `{"patches":[{"content":"45.67.89.10"}]}`, 404, 81044},
		{"a post that conflicts", `{"patches":[{"id":"$1","content":"45.67.89.10"}],"posts":[{"type":"A","name":"home","content":"45.67.89.10"}]}`, 400, 81054},
		{"a post that is wrong", `{"deletes":[{"id":"$0"}],"posts":[{"type":"A","name":"home","content":"nothing"}]}`, 400, 9005},
		{"not a list", `{"deletes":{"id":"$0"}}`, 400, 9207},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stateOnly(t, seed)
			before := s.zones[0].Records
			body := strings.NewReplacer("$0", before[0].ID, "$1", before[1].ID).Replace(test.body)
			got := callAPI(t, s, "POST", zonePath(s, "/dns_records/batch"), body)
			if got.Status != test.status || got.code() != test.code || len(got.Errors) != 1 {
				t.Errorf("got %d %s, want %d with code %d", got.Status, got.Raw, test.status, test.code)
			}
			if diff := cmp.Diff(before, s.zones[0].Records); diff != "" {
				t.Errorf("the zone changed: %s", diff)
			}
		})
	}
}

// Whatever a batch says: it is done as the single calls would have been, or not at all.
func TestBatchIsAllOrNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := SeedZone{Name: "example.com", Records: []SeedRecord{
			{Type: "A", Name: "a", Content: "45.67.89.1"}, {Type: "CNAME", Name: "b", Content: "c.example.org"},
			{Type: "A", Name: "c", Content: "45.67.89.1"}, {Type: "AAAA", Name: "a", Content: "2a02::1"},
		}}
		single, err := plantZone(seed, testTime())
		if err != nil {
			t.Fatal(err)
		}
		batched := *single
		b := drawBatch(t, single)

		one := begin(single, testTime())
		var want error
		for _, step := range b.steps(one) {
			if want = step(); want != nil {
				break
			}
		}
		if want == nil {
			one.commit()
		}
		many := begin(&batched, testTime())
		_, got := b.run(many)
		if got == nil {
			many.commit()
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("batch %v: got %v, want %v", b, got, want)
		}
		if diff := cmp.Diff(summary(single), summary(&batched)); diff != "" {
			t.Fatal(diff)
		}
		checkZone(t, &batched)
	})
}

// steps are the operations of a batch, one by one.
func (b batch) steps(t *transaction) []func() error {
	var steps []func() error
	add := func(operations []fields, do func(fields) (*record, error)) {
		for _, f := range operations {
			steps = append(steps, func() error { _, err := do(f); return err })
		}
	}
	add(b.Deletes, func(f fields) (*record, error) { return t.delete(f.id()) })
	add(b.Patches, func(f fields) (*record, error) { return t.patch(f.id(), f) })
	add(b.Puts, func(f fields) (*record, error) { return t.put(f.id(), f) })
	add(b.Posts, t.post)
	return steps
}

func drawBatch(t *rapid.T, z *zone) batch {
	operation := rapid.Custom(func(t *rapid.T) fields {
		f := fields{
			"id":   quoted(rapid.SampledFrom(z.Records).Draw(t, "record").ID),
			"name": quoted(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name")),
			"type": quoted(rapid.SampledFrom([]string{"A", "AAAA", "CNAME"}).Draw(t, "type")),
		}
		f["content"] = quoted(map[string]string{`"A"`: "45.67.89.2", `"AAAA"`: "2a02::1", `"CNAME"`: "d.example.org"}[string(f["type"])])
		return f
	})
	list := rapid.SliceOfN(operation, 0, 2)
	return batch{Deletes: list.Draw(t, "deletes"), Patches: list.Draw(t, "patches"), Puts: list.Draw(t, "puts"), Posts: list.Draw(t, "posts")}
}

func quoted(word string) json.RawMessage { return json.RawMessage(`"` + word + `"`) }

func summary(z *zone) []string {
	lines := []string{}
	for _, r := range z.Records {
		lines = append(lines, r.Name+" "+r.Type+" "+r.Content)
	}
	return lines
}

// checkZone fails if the zone holds what Cloudflare never would.
func checkZone(t interface{ Fatalf(string, ...any) }, z *zone) {
	for i, r := range z.Records {
		for _, other := range z.Records[:i] {
			if r.ID == other.ID {
				t.Fatalf("ID %s is there twice", r.ID)
			}
			if r.Name != other.Name {
				continue
			}
			if r.Type == "CNAME" || other.Type == "CNAME" || r.Type == other.Type && r.Content == other.Content {
				t.Fatalf("%s %s %s stands beside %s %s", r.Name, r.Type, r.Content, other.Type, other.Content)
			}
		}
	}
}
