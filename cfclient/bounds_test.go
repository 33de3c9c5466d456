package cfclient

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

// zipped answers with a text in a few kilobytes, however often part is in it.
func zipped(status int, before, part string, times int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = io.WriteString(z, before)
		chunk := strings.Repeat(part, 1000)
		for range times / 1000 {
			if _, err := io.WriteString(z, chunk); err != nil {
				return // the client has seen enough
			}
		}
		_, _ = io.WriteString(z, after)
		_ = z.Close()
	}
}

// TestAHostileAnswerCostsLittle has the API answer what would take gigabytes,
// minutes, or hundreds of calls.
func TestAHostileAnswerCostsLittle(t *testing.T) {
	const million = 1_000_000
	onePage := func(entries, total int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			number, _ := strconv.Atoi(r.URL.Query().Get("page"))
			list := make([]map[string]any, entries)
			for i := range list {
				list[i] = wire(number*entries+i, fmt.Sprintf("n%d-%d.example.com", number, i), "A", "192.0.2.1")
			}
			answer(w, 200, listOf(t, total, list))
		}
	}
	chained := strings.Repeat(`{"code":1,"message":"m","error_chain":[`, 4900) + strings.Repeat(`]}`, 4900)
	head, tail := `{"success":true,"result":[`, `{}],"result_info":{"total_count":5}}`
	tests := []struct {
		name    string
		handler http.HandlerFunc
		calls   int
	}{
		{"a list of 20 million empty records", zipped(200, head, `{},`, 20*million, tail), 1},
		{"a list of three million empty records", zipped(200, head, `{},`, 3*million, tail), 1},
		{"a list of 30,000 empty records", zipped(200, head, `{},`, 30_000, tail), 1},
		{"one record with 300,000 tags", zipped(200, `{"success":true,"result":[{"id":"a","name":"b","type":"A","tags":[`, `"",`, 300_000, `""]}],"result_info":{"total_count":1}}`), 1},
		{"a record of 60 MiB", zipped(200, `{"success":true,"result":[{"id":"`, `aaaaaaaaaaaaaaaaaaaa`, 3*million, `"}]}`), 1},
		{"a list in a list, a million deep", zipped(200, head, `[`, million, tail), 1},
		{"4,900 errors in each other", answering(403, `{"success":false,"errors":[`+chained+`]}`), 1},
		{"two million errors", zipped(403, `{"success":false,"errors":[`, `"e",`, 2*million, `"e"]}`), 1},
		{"300,000 errors", zipped(403, `{"success":false,"errors":[`, `"e",`, 300_000, `"e"]}`), 1},
		{"a page of 60 MiB under 500", zipped(500, `<html>`, `<p>no</p>`, 7*million, ``), 1},
		{"a million records, one at a time", onePage(1, million), 1},
		{"a million records, a thousand at a time", onePage(1000, million), 1},
		{"a list that gives less and less", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("page") == "1" {
				onePage(1000, 100_000)(w, r)
			} else {
				onePage(1, 100_000)(w, r)
			}
		}, mostPages + 1},
		{"a header of a megabyte", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			answer(w, 200, listOf(t, 0, []int{}))
		}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, tt.handler)
			c := api.client(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			listing, err := c.Records(t.Context(), testZone, manyNames(100))
			runtime.ReadMemStats(&after)
			if err == nil || len(listing.Records) > 0 {
				t.Fatalf("%d records, and no error", len(listing.Records))
			}
			if k := ddns.KindOf(err); k != ddns.Unreachable && k != ddns.Denied && k != ddns.Rejected {
				t.Errorf("%v is %v", err, k)
			}
			if n := len(api.requests()); n > tt.calls {
				t.Errorf("%d calls, want %d at most", n, tt.calls)
			}
			// All that was ever made, the garbage and the server's own counted in.
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; tt.calls < mostPages && mib > 100 {
				t.Errorf("%d MiB were made in all", mib)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			t.Logf("%d MiB: %.150v", (after.TotalAlloc-before.TotalAlloc)>>20, err)
		})
	}
}

func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d.example.com", i)
	}
	return names
}
