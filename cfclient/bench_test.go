package cfclient

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// BenchmarkAnswers reads the two answers that grow with the names: a page of
// records, and what became of a batch.
func BenchmarkAnswers(b *testing.B) {
	page := []byte(listOf(b, 5000, manyRecords(5000)))
	b.Run("a page of 5000 records", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		b.ReportAllocs()
		for b.Loop() {
			answer, err := readEnvelope[[]wireRecord](200, page)
			if err != nil {
				b.Fatal(err)
			}
			for i := range *answer.Result {
				if _, err := (*answer.Result)[i].record(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	for _, n := range []int{200, 3500} {
		var batch ddns.Batch
		for i := range n {
			batch.Patches = append(batch.Patches, ddns.Patch{ID: recordID(i + 1), Content: ptr("192.0.2.1")})
		}
		result, err := json.Marshal(map[string]any{"patches": manyRecords(n)})
		if err != nil {
			b.Fatal(err)
		}
		body := []byte(resultOf(string(result)))
		b.Run(fmt.Sprintf("a batch of %d changes", n), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				answer, err := readEnvelope[wireResult](200, body)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := confirmed(batch, answer.Result); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLimit asks whether a call may be sent when a thousand were.
func BenchmarkLimit(b *testing.B) {
	var l limit
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(limitWindow/limitReads + 1)
		if wait, ok := l.take(now, false, 0); !ok {
			b.Fatal(wait)
		}
	}
}
