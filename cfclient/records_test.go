package cfclient

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// serveRecords serves a zone's records as Cloudflare does: by page, with the
// filters this package uses, never more than cap a page.
func serveRecords(t *testing.T, records []map[string]any, perPageCap int) *fake {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		matching := slices.DeleteFunc(slices.Clone(records), func(rec map[string]any) bool {
			name, content := rec["name"].(string), rec["content"].(string)
			return query.Has("name.exact") && query.Get("name.exact") != name ||
				query.Get("match") == "any" && !slices.Contains(query["name"], name) ||
				!strings.Contains(content, query.Get("content.contains"))
		})
		page, _ := strconv.Atoi(query.Get("page"))
		perPage, _ := strconv.Atoi(query.Get("per_page"))
		perPage = min(perPage, perPageCap)
		from := min((page-1)*perPage, len(matching))
		to := min(from+perPage, len(matching))
		answer(w, 200, listOf(t, len(matching), matching[from:to]))
	})
}

func manyRecords(n int) []map[string]any {
	records := make([]map[string]any, n)
	for i := range records {
		records[i] = wire(i+1, fmt.Sprintf("host%d.example.com", i+1), "A", "192.0.2.1")
	}
	return records
}

func TestRecords(t *testing.T) {
	names := func(n int) []string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("host%d.example.com", i+1)
		}
		return names
	}
	long := func(n int) []string { // names that are not in the zone, of 183 characters
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%02d%s.example.com", i, strings.Repeat("."+strings.Repeat("a", 56), 3)[:169])
		}
		return names
	}
	tests := []struct {
		name   string
		zone   int // records in the zone
		names  []string
		want   int // records in the listing
		whole  bool
		first  int // calls of a client that is new
		second int // calls once the zone is known
	}{
		{"a small zone is read whole", 12, names(2), 12, true, 1, 1},
		{"an empty zone is empty", 0, names(1), 0, true, 1, 1},
		{"a full Free zone is small", 1000, names(3), 1000, true, 1, 1},
		{"of a large zone one name is read", 1001, names(1), 1, false, 2, 1},
		{"of a large zone a few names are read in one call", 1001, names(60), 60, false, 2, 1},
		{"many names take the whole of a large zone", 1001, names(61), 1001, true, 1, 1},
		{"names too long for a URL take the whole of a large zone", 1001, long(40), 1001, true, 1, 1},
		{"names that just fit into a URL do not", 1001, long(37), 1001, true, 3, 2},
		{"many names that a search does not show take the whole of a large zone", 1001, long(21), 1001, true, 3, 2},
		{"a zone of two pages is read to its end", 5001, names(61), 5001, true, 2, 2},
		{"a name that a search does not show is asked for alone", 1001, []string{"host1.example.com", "new.example.com"}, 1, false, 3, 2},
		{"a name asked for twice is asked for once", 1001, []string{"host1.example.com", "host1.example.com"}, 1, false, 2, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serveRecords(t, manyRecords(tt.zone), 5000)
			c := api.client(t)
			for _, calls := range []int{tt.first, tt.second} {
				before := c.Calls()
				got, err := c.Records(t.Context(), testZone, tt.names)
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Records) != tt.want || got.Whole != tt.whole || c.Calls()-before != int64(calls) {
					t.Errorf("%d records, whole %v, %d calls; want %d, %v, %d", len(got.Records), got.Whole, c.Calls()-before, tt.want, tt.whole, calls)
				}
			}
		})
	}
}

func TestARecordIsReadWhole(t *testing.T) {
	api := serve(t, answering(200, listOf(t, 1, []map[string]any{{
		"id": recordID(1), "name": "Home.Example.com.", "type": "CNAME", "content": "x.duckdns.org", "proxied": true, "ttl": 1,
		"comment": "mine", "tags": []string{"a:b"}, "settings": map[string]any{"flatten_cname": false}, "priority": 10, "new_field": []int{1},
	}})))
	got, err := api.client(t).Records(t.Context(), testZone, []string{"home.example.com"})
	want := ddns.Listing{Whole: true, Records: []ddns.Record{{
		ID: recordID(1), Name: "home.example.com", Type: "CNAME", Content: "x.duckdns.org", Proxied: true, TTL: 1,
		Comment: "mine", Tags: []string{"a:b"}, Settings: []byte(`{"flatten_cname":false}`),
	}}}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestAListThatCannotBeTrusted: whatever is wrong with a list, it is an error
// and never a shorter list.
func TestAListThatCannotBeTrusted(t *testing.T) {
	one := wire(1, "a.example.com", "A", "192.0.2.1")
	unnamed := wire(2, "", "A", "192.0.2.1")
	anonymous := wire(2, "b.example.com", "A", "192.0.2.1")
	anonymous["id"] = ""
	tests := []struct{ name, body string }{
		{"shorter than it says", listOf(t, 2, []any{one})},
		{"longer than it says", listOf(t, 1, []any{one, wire(2, "b.example.com", "A", "192.0.2.1")})},
		{"the same record twice", listOf(t, 2, []any{one, one})},
		{"no length", resultOf(`[]`)},
		{"a length below zero", listOf(t, -1, []any{})},
		{"a length beyond belief", listOf(t, 1<<40, []any{one})},
		{"a record without a name", listOf(t, 2, []any{one, unnamed})},
		{"a record without an ID", listOf(t, 2, []any{one, anonymous})},
		{"null", `{"success":true,"result":null,"result_info":{"total_count":0}}`},
		{"an object", `{"success":true,"result":{},"result_info":{"total_count":0}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, answering(200, tt.body))
			got, err := api.client(t).Records(t.Context(), testZone, []string{"a.example.com"})
			wantKind(t, err, ddns.Unreachable)
			if got.Records != nil || got.Whole {
				t.Errorf("an error with an answer: %+v", got)
			}
		})
	}
}

func TestASearchNeverWidens(t *testing.T) {
	api := serve(t, answering(200, listOf(t, 2, []any{
		wire(1, "a.example.com", "A", "192.0.2.1"), wire(2, "a.example.com", "TXT", "v=spf1 ip4:198.51.100.7 -all"),
	})))
	got, err := api.client(t).Holding(t.Context(), testZone, "198.51.100.7")
	if err != nil || len(got) != 1 || got[0].Type != "TXT" {
		t.Errorf("got %+v, %v", got, err)
	}
	if query := api.requests()[0].Query; query["content.contains"][0] != "198.51.100.7" {
		t.Errorf("asked %v", query)
	}
	if _, err := api.client(t).Holding(t.Context(), testZone, ""); err == nil {
		t.Error("searched for nothing")
	}
}

func TestPagesAddUp(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(r, "records")
		perPage := rapid.IntRange(1, 12).Draw(r, "largest page")
		lost := rapid.IntRange(0, n).Draw(r, "cut at") // records from here on are kept back
		records := manyRecords(n)
		api := serve(t, func(w http.ResponseWriter, req *http.Request) {
			page, _ := strconv.Atoi(req.URL.Query().Get("page"))
			from := min((page-1)*perPage, lost)
			answer(w, 200, listOf(t, n, records[from:min(from+perPage, lost)]))
		})
		got, err := api.client(t).Records(t.Context(), testZone, []string{"a"})
		if (err == nil) != (lost == n) {
			r.Fatalf("%d of %d records: error %v", lost, n, err)
		}
		if err == nil && len(got.Records) != n {
			r.Fatalf("%d of %d records", len(got.Records), n)
		}
	})
}

func TestZones(t *testing.T) {
	zone := func(n int, name, status string) map[string]any {
		return map[string]any{
			"id": recordID(n), "name": name, "status": status, "paused": true, "type": "partial", "name_servers": []string{"ada.ns.cloudflare.com"},
			"account": map[string]any{"id": "acc"}, "plan": map[string]any{"legacy_id": "pro"},
		}
	}
	var zones []map[string]any
	for i := range 60 {
		zones = append(zones, zone(100+i, fmt.Sprintf("z%02d.example", i), "active"))
	}
	zones = append(zones, zone(1, "a.example", "pending"), zone(2, "A.example", "active"))
	var calls atomic.Int64
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		page := int(calls.Add(1))
		if got := r.URL.Query().Get("page"); got != strconv.Itoa(page) {
			t.Errorf("asked for page %s, want %d", got, page)
		}
		answer(w, 200, listOf(t, len(zones), zones[(page-1)*50:min(page*50, len(zones))]))
	})
	got, err := api.client(t).Zones(t.Context())
	if err != nil || len(got) != 62 {
		t.Fatalf("%d zones, %v", len(got), err)
	}
	want := ddns.Zone{ID: recordID(2), Name: "a.example", Status: "active", Paused: true, Type: "partial", Plan: "pro", AccountID: "acc", NameServers: []string{"ada.ns.cloudflare.com"}}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("the active one of two comes first (-want +got)\n%s", diff)
	}
}

func BenchmarkList10000(b *testing.B) {
	var pages [2]string
	for i := range pages {
		records := manyRecords(10000)
		pages[i] = listOf(b, 10000, records[i*5000:(i+1)*5000])
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		answer(w, 200, pages[page-1])
	}))
	defer server.Close()
	c := New(Config{Token: ddns.NewSecret(testToken), BaseURL: server.URL, World: loopback{}})
	names := make([]string, 10000)
	for i := range names {
		names[i] = fmt.Sprintf("host%d.example.com", i+1)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := c.Records(b.Context(), testZone, names); err != nil || len(got.Records) != 10000 {
			b.Fatal(len(got.Records), err)
		}
	}
}

func TestRecordsOfOneType(t *testing.T) {
	zone := ddns.Zone{ID: strings.Repeat("a", 32), Name: "example.com"}
	answer := `{"success":true,"errors":[],"messages":[],"result":[
		{"id":"1","name":"WWW.example.com.","type":"CNAME","content":"x.duckdns.org","ttl":1,"comment":null},
		{"id":"2","name":"a.example.com","type":"A","content":"192.0.2.1","ttl":1}],
		"result_info":{"page":1,"per_page":5000,"count":2,"total_count":2,"total_pages":1}}`
	f := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
	records, err := f.client(t).OfType(t.Context(), zone, "CNAME")
	if err != nil || len(records) != 1 || records[0].Name != "www.example.com" {
		t.Errorf("%v, %v: a filter that the server passes over must not widen the answer", records, err)
	}
	if got := f.sent[0].Query["type"]; len(got) != 1 || got[0] != "CNAME" {
		t.Errorf("asked for the types %v", got)
	}
}
