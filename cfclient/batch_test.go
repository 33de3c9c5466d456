package cfclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
)

func TestABatchSendsOnlyWhatIsSet(t *testing.T) {
	tests := []struct {
		name  string
		batch ddns.Batch
		want  string
	}{
		{
			"a change of address is the address",
			ddns.Batch{Patches: []ddns.Patch{{ID: recordID(1), Content: ptr("192.0.2.2")}}},
			`{"patches":[{"id":"00000000000000000000000000000001","content":"192.0.2.2"}]}`,
		},
		{
			"a field set to its zero is sent",
			ddns.Batch{Patches: []ddns.Patch{{ID: recordID(1), Proxied: ptr(false), TTL: ptr(60), Comment: ptr("")}}},
			`{"patches":[{"id":"00000000000000000000000000000001","proxied":false,"ttl":60,"comment":""}]}`,
		},
		{
			"a new record has what Cloudflare requires",
			ddns.Batch{Posts: []ddns.Record{{Name: "a.example.com", Type: "A", Content: "192.0.2.1", Settings: json.RawMessage(" {} ")}}},
			`{"posts":[{"name":"a.example.com","type":"A","content":"192.0.2.1","ttl":1,"proxied":false}]}`,
		},
		{
			"a record in place of another, with all it had",
			ddns.Batch{Deletes: []string{recordID(7)}, Posts: []ddns.Record{{
				Name: "a.example.com", Type: "CNAME", Content: "x.duckdns.org", Proxied: true, TTL: 1, Comment: "c", Tags: []string{"a:b"},
				Settings: json.RawMessage(`{"flatten_cname":true}`),
			}}},
			`{"deletes":[{"id":"00000000000000000000000000000007"}],"posts":[{"name":"a.example.com","type":"CNAME","content":"x.duckdns.org","ttl":1,"proxied":true,"comment":"c","tags":["a:b"],"settings":{"flatten_cname":true}}]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, answering(400, refusalOf(1004, "x")))
			_, _ = api.client(t).Batch(t.Context(), testZone, tt.batch)
			got := api.requests()
			if len(got) != 1 || got[0].Method != "POST" || got[0].Path != "/client/v4/zones/"+testZone.ID+"/dns_records/batch" || got[0].Body != tt.want {
				t.Errorf("sent %+v\nwant %s", got, tt.want)
			}
		})
	}
}

func TestABatchIsConfirmedRecordByRecord(t *testing.T) {
	batch := ddns.Batch{
		Deletes: []string{recordID(1), recordID(2)},
		Patches: []ddns.Patch{{ID: recordID(3), Content: ptr("2001:DB8:0::1")}, {ID: recordID(4), TTL: ptr(300), Proxied: ptr(true), Comment: ptr("c")}},
		Posts:   []ddns.Record{{Name: "a.example.com", Type: "A", Content: "192.0.2.1"}, {Name: "b.example.com", Type: "CNAME", Content: "Target.example.net."}},
	}
	// whole is the answer of a server that did everything, in an order of its own.
	whole := func() map[string][]map[string]any {
		proxied := wire(4, "q.example.com", "A", "192.0.2.9")
		proxied["proxied"], proxied["ttl"], proxied["comment"] = true, 1, "c"
		return map[string][]map[string]any{
			"deletes": {{"id": recordID(2)}, wire(1, "x.example.com", "CNAME", "x.duckdns.org")},
			"patches": {proxied, wire(3, "p.example.com", "AAAA", "2001:db8::1")},
			"posts":   {wire(6, "b.example.com", "CNAME", "target.example.net"), wire(5, "a.example.com", "A", "192.0.2.1")},
		}
	}
	tests := []struct {
		name string
		edit func(map[string][]map[string]any)
		want ddns.Kind // Unexpected: confirmed
	}{
		{"all of it", func(map[string][]map[string]any) {}, ddns.Unexpected},
		{"a deletion is not shown", func(m map[string][]map[string]any) { m["deletes"] = m["deletes"][1:] }, ddns.Uncertain},
		{"another record was deleted", func(m map[string][]map[string]any) { m["deletes"][0]["id"] = recordID(99) }, ddns.Uncertain},
		{"one deletion is shown twice", func(m map[string][]map[string]any) { m["deletes"][0] = m["deletes"][1] }, ddns.Uncertain},
		{"a change is not shown", func(m map[string][]map[string]any) { m["patches"] = nil }, ddns.Uncertain},
		{"another address stands there", func(m map[string][]map[string]any) { m["patches"][1]["content"] = "2001:db8::2" }, ddns.Uncertain},
		{"the proxy is still off", func(m map[string][]map[string]any) { m["patches"][0]["proxied"] = false }, ddns.Uncertain},
		{"the comment is still the old one", func(m map[string][]map[string]any) { m["patches"][0]["comment"] = nil }, ddns.Uncertain},
		{"a new record is not shown", func(m map[string][]map[string]any) { m["posts"] = m["posts"][1:] }, ddns.Uncertain},
		{"a new record has no ID", func(m map[string][]map[string]any) { m["posts"][0]["id"] = "" }, ddns.Uncertain},
		{"a new record has another address", func(m map[string][]map[string]any) { m["posts"][1]["content"] = "192.0.2.66" }, ddns.Uncertain},
		{"a new record is proxied unasked", func(m map[string][]map[string]any) { m["posts"][1]["proxied"] = true }, ddns.Uncertain},
		{"one record too many", func(m map[string][]map[string]any) { m["posts"] = append(m["posts"], m["posts"][0]) }, ddns.Uncertain},
		{"nothing at all", func(m map[string][]map[string]any) { clear(m) }, ddns.Uncertain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result := whole()
			tt.edit(result)
			encoded, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			got, err := serve(t, answering(200, resultOf(string(encoded)))).client(t).Batch(t.Context(), testZone, batch)
			if tt.want != ddns.Unexpected {
				wantKind(t, err, tt.want)
				if diff := cmp.Diff(ddns.BatchResult{}, got); diff != "" {
					t.Errorf("an error with an answer: %s", diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			ids := fmt.Sprint(got.Deleted[0].ID, got.Deleted[1].ID, got.Patched[0].ID, got.Patched[1].ID, got.Posted[0].ID, got.Posted[1].ID)
			want := fmt.Sprint(recordID(1), recordID(2), recordID(3), recordID(4), recordID(5), recordID(6))
			if ids != want {
				t.Errorf("not in the order of the batch: %s", ids)
			}
			if got.Deleted[0].Content != "x.duckdns.org" {
				t.Errorf("a deleted record is not whole: %+v", got.Deleted[0])
			}
		})
	}
}

func TestWhatIsNoBatchIsNotSent(t *testing.T) {
	tests := []struct {
		name    string
		batch   ddns.Batch
		wantErr string // empty: nothing to do is no error
	}{
		{"an empty batch", ddns.Batch{}, ""},
		{"more than the plan allows", ddns.Batch{Deletes: make([]string, 201)}, "allows 200"},
		{"a deletion of nothing", ddns.Batch{Deletes: []string{""}}, "without ID"},
		{"a change of nothing", ddns.Batch{Patches: []ddns.Patch{{Content: ptr("x")}}}, "names no record"},
		{"a change without change", ddns.Batch{Patches: []ddns.Patch{{ID: recordID(1)}}}, "changes nothing"},
		{"settings that are no JSON", ddns.Batch{Posts: []ddns.Record{{Name: "a", Type: "A", Settings: json.RawMessage("{")}}}, "JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, answering(200, resultOf("{}")))
			_, err := api.client(t).Batch(t.Context(), testZone, tt.batch)
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("got %v, want %q", err, tt.wantErr)
			}
			if len(api.requests()) != 0 {
				t.Error("something was sent")
			}
		})
	}
}

func TestAnIDThatIsNoneIsNotSent(t *testing.T) {
	api := serve(t, answering(200, resultOf("[]")))
	c := api.client(t)
	for _, id := range []string{"", "../../user", "a?b", "a b", "\x7f", "%2e", "a/b"} {
		zone := ddns.Zone{ID: id, Name: "example.com"}
		_, e1 := c.Records(t.Context(), zone, []string{"example.com"})
		_, e2 := c.Batch(t.Context(), zone, ddns.Batch{Deletes: []string{recordID(1)}})
		_, e3 := c.Touch(t.Context(), testZone, ddns.Record{ID: id, Name: "example.com"})
		_, e4 := c.Quota(t.Context(), zone)
		for _, err := range []error{e1, e2, e3, e4} {
			wantKind(t, err, ddns.Unexpected)
		}
	}
	if n := len(api.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestAStaleConnectionDoesNotCostAWrite(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, resultOf(`{"deletes":[{"id":"`+recordID(1)+`"}]}`))
	})
	c := api.client(t)
	for i := range 20 {
		if _, err := c.Batch(t.Context(), testZone, ddns.Batch{Deletes: []string{recordID(1)}}); err != nil && ddns.KindOf(err) != ddns.Uncertain {
			t.Fatalf("batch %d: %v", i, err)
		}
		api.CloseClientConnections() // as a server does that restarts
	}
	if n := len(api.requests()); n > 20 {
		t.Errorf("%d requests for 20 batches: one was sent twice", n)
	}
}
