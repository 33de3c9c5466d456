package sandbox

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func testTime() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 123456000, time.UTC) }

func filterZone() SeedZone {
	return SeedZone{Name: "example.com", Plan: "pro", Records: []SeedRecord{
		{Type: "TXT", Name: "www", Content: `"v=Home"`, Comment: "Hello World", TTL: 600},
		{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true, Tags: []string{"owner:Ann", "live"}},
		{Type: "A", Name: "home", Content: "45.67.89.11", TTL: 300, Comment: "hello", Tags: []string{"owner:Bob"}},
		{Type: "CNAME", Name: "alias", Content: "home.example.com"},
	}}
}

func names(t testing.TB, s *Sandbox, query string) string {
	t.Helper()
	var records []recordView
	callAPI(t, s, "GET", zonePath(s, "/dns_records?"+query), "").into(t, &records)
	words := []string{}
	for _, r := range records {
		words = append(words, strings.TrimSuffix(r.Name, ".example.com")+"/"+r.Type)
	}
	return strings.Join(words, " ")
}

func TestListFilters(t *testing.T) {
	s := stateOnly(t, filterZone())
	for _, test := range []struct{ query, want string }{
		{"", "www/A home/A alias/CNAME www/TXT"},
		{"name=www.example.com", "www/A www/TXT"},
		{"name=WWW.example.com", "www/A www/TXT"},
		{"name=www", ""},
		{"name.exact=home.example.com", "home/A"},
		{"name.contains=om", "www/A home/A alias/CNAME www/TXT"},
		{"name.startswith=al", "alias/CNAME"},
		{"name.endswith=s.example.com", "alias/CNAME"},
		{"name=contains:www", ""},
		{"type=A", "www/A home/A"},
		{"type=A&name=www.example.com", "www/A"},
		{"type=A&name=www.example.com&match=any", "www/A home/A www/TXT"},
		{"name=www.example.com&name=home.example.com", ""},
		{"match=any&name=www.example.com&name=home.example.com", "www/A home/A www/TXT"},
		{"content=45.67.89.10", "www/A"},
		{"content.exact=45.67.89.11", "home/A"},
		{"content.contains=v%3Dhome", "www/TXT"},
		{"content.startswith=45.67", "www/A home/A"},
		{"content.endswith=.11", "home/A"},
		{"comment=hello", "home/A"},
		{"comment.exact=HELLO", "home/A"},
		{"comment.contains=world", "www/TXT"},
		{"comment.startswith=hello", "home/A www/TXT"},
		{"comment.endswith=ld", "www/TXT"},
		{"comment.present", "home/A www/TXT"},
		{"comment.absent=true", "www/A alias/CNAME"},
		{"proxied=true", "www/A"},
		{"proxied=false&type=A", "home/A"},
		{"tag=owner:ann", "www/A"},
		{"tag.exact=owner:Bob", "home/A"},
		{"tag.present=owner", "www/A home/A"},
		{"tag.absent=owner", "alias/CNAME www/TXT"},
		{"tag.contains=owner:n", "www/A"},
		{"tag.startswith=owner:b", "home/A"},
		{"tag.endswith=owner:ob", "home/A"},
		{"tag.present=live&tag.exact=owner:bob", ""},
		{"tag.present=live&tag.exact=owner:bob&tag_match=any", "www/A home/A"},
		{"search=hello+world", "www/TXT"},
		{"search=45.67", "www/A home/A"},
		{"order=name", "alias/CNAME home/A www/TXT www/A"},
		{"order=name&direction=desc", "www/A www/TXT home/A alias/CNAME"},
		{"order=content", "www/TXT www/A home/A alias/CNAME"},
		{"order=ttl&direction=desc", "www/TXT home/A alias/CNAME www/A"},
		{"order=proxied&direction=desc&type=A", "www/A home/A"},
		{"type=&proxied=&name=www.example.com", "www/A www/TXT"},
		{"what=ever", "www/A home/A alias/CNAME www/TXT"},
		{"per_page=3", "www/A home/A alias/CNAME"},
		{"per_page=3&page=2", "www/TXT"},
		{"per_page=3&page=3", ""},
	} {
		if got := names(t, s, test.query); got != test.want {
			t.Errorf("?%s: got %q, want %q", test.query, got, test.want)
		}
	}
	for _, query := range []string{"per_page=0", "per_page=5000001", "page=0", "page=x", "type=FOO", "order=age",
		"direction=up", "match=some", "tag_match=some", "proxied=perhaps"} {
		if got := callAPI(t, s, "GET", zonePath(s, "/dns_records?"+query), ""); got.Status != 400 {
			t.Errorf("?%s: got %d %s", query, got.Status, got.Raw)
		}
	}
}

func TestResultInfoCounts(t *testing.T) {
	s := stateOnly(t, filterZone())
	got := callAPI(t, s, "GET", zonePath(s, "/dns_records?per_page=3&page=2"), "")
	if want := (resultInfo{Page: 2, PerPage: 3, Count: 1, TotalCount: 4, TotalPages: 2}); got.Info == nil || *got.Info != want {
		t.Errorf("got %+v, want %+v", got.Info, want)
	}
	got = callAPI(t, s, "GET", zonePath(s, "/dns_records?name=nothing.example.com"), "")
	if want := (resultInfo{Page: 1, PerPage: 100}); *got.Info != want || string(got.Result) != "[]" {
		t.Errorf("got %s", got.Raw)
	}
}

// The pages of a list, one after the other, are the list.
func TestPagesAreThePartsOfTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int(), 0, 60).Draw(t, "list")
		size := rapid.IntRange(1, 70).Draw(t, "size")
		var joined []int
		for page := 1; ; page++ {
			part, info := cut(list, paging{page: page, size: size})
			if len(part) == 0 {
				break
			}
			if info.Count != len(part) || info.TotalCount != len(list) || page > info.TotalPages {
				t.Fatalf("page %d: %+v", page, info)
			}
			joined = append(joined, part...)
		}
		if fmt.Sprint(joined) != fmt.Sprint(list) {
			t.Fatalf("got %v, want %v", joined, list)
		}
	})
}

func TestTenThousandRecordsListAtOnce(t *testing.T) {
	s := stateOnly(t, SeedZone{Name: "example.com", Plan: "enterprise", Records: manyRecords(10_000)})
	start := time.Now()
	got := callAPI(t, s, "GET", zonePath(s, "/dns_records?per_page=5000000"), "")
	took := time.Since(start)
	if got.Info.Count != 10_000 {
		t.Fatalf("got %+v", got.Info)
	}
	t.Logf("%d bytes in %v", len(got.Raw), took)
}

func BenchmarkListTenThousandRecords(b *testing.B) {
	s := stateOnly(b, SeedZone{Name: "example.com", Plan: "enterprise", Records: manyRecords(10_000)})
	c := &call{Request: request("GET", zonePath(s, "/dns_records?per_page=5000000"), ""), token: token{}}
	c.SetPathValue("zone", s.zones[0].ID)
	for b.Loop() {
		if a := s.listRecords(c); a.refusal != nil {
			b.Fatal(a.refusal)
		}
	}
}

func FuzzListParameters(f *testing.F) {
	for _, query := range []string{"name=www.example.com", "match=any&type=A&tag=a:b", "page=2&per_page=1&order=ttl", "search=%zz&name=%ff"} {
		f.Add(query)
	}
	z, err := plantZone(filterZone(), testTime())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		wanted, err := readFilter(query)
		if err != nil {
			return
		}
		for _, r := range z.Records {
			wanted(r)
		}
		if p, err := readPaging(query, pageLimits{usual: 100, least: 1, most: 5_000_000}); err == nil {
			cut(z.Records, p)
		}
	})
}

func FuzzRecord(f *testing.F) {
	for _, body := range []string{
		`{"type":"A","name":"www","content":"45.67.89.10","ttl":1,"proxied":true}`,
		`{"type":"AAAA","name":"@","content":"2A02::1","comment":"x","tags":["a:b"]}`,
		`{"type":"CNAME","name":"b\u00fccher","content":"@"}`,
		`{"type":"SRV","name":"_a._b","data":{"port":1},"priority":2,"settings":{}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s := stateOnly(t, SeedZone{Name: "example.com", Plan: "pro"})
		got := callAPI(t, s, "POST", zonePath(s, "/dns_records"), body)
		if !got.Success {
			if got.Status < 400 || got.Status >= 500 || len(s.zones[0].Records) != 0 {
				t.Fatalf("%d %s", got.Status, got.Raw)
			}
			return
		}
		// What was kept is in its final form: written again, it is the same.
		r := s.zones[0].Records[0]
		again := callAPI(t, s, "PUT", zonePath(s, "/dns_records/"+r.ID), string(got.Result))
		if !again.Success || string(again.Result) != string(got.Result) {
			t.Fatalf("kept as %s, and written again %s", got.Raw, again.Raw)
		}
	})
}
