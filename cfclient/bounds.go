package cfclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Bounds of one answer. Whoever answers has proved that he is Cloudflare, and
// may be broken all the same: one answer must not take the memory of the
// machine, nor its time. 5,000 records are some 3 MiB and 100,000 values.
const (
	mostBytesLong   = 12 << 20 // after decompression, of a listing or a batch
	mostBytesShort  = 1 << 20  // of all other answers, which are a few hundred bytes
	mostValuesLong  = 400_000
	mostValuesShort = 40_000
	mostEntries     = 10_000 // of one list; of the longest that is asked for there are so many
	mostHeaderBytes = 64 << 10
	mostProblems    = 20 // of an answer's errors
	mostChain       = 3  // errors wrapped in each other; the API was seen to send two
	// mostPages and mostListing bound a listing: 5,000 zones, some 50,000 records.
	mostPages   = 100
	mostListing = 32 << 20
)

// readBody reads an answer within its bounds.
func (q question) readBody(answer *http.Response) ([]byte, error) {
	most, values := int64(mostBytesShort), mostValuesShort
	if q.long {
		most, values = mostBytesLong, mostValuesLong
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(answer.Body, most+1)); err != nil {
		return nil, err
	}
	if int64(body.Len()) > most {
		return nil, fmt.Errorf("%w: it is larger than %d MiB", errTooMuch, most>>20)
	}
	if valuesIn(body.Bytes()) > values {
		return nil, fmt.Errorf("%w: it holds more than %d values", errTooMuch, values)
	}
	return body.Bytes(), nil
}

// errTooMuch is an answer that is larger than any that the API gives.
var errTooMuch = errors.New("the answer is too large to be one of Cloudflare's API")

// valuesIn counts the values of a JSON text, nested ones included; never fewer
// than it has. It does not check the text.
func valuesIn(text []byte) int {
	values, quoted := 1, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			values++
		}
	}
	return values
}

// page is a list in an answer, with at most mostEntries.
type page[T any] []T

// UnmarshalJSON refuses a page with more entries before it makes room for them.
func (p *page[T]) UnmarshalJSON(data []byte) error {
	if n := entriesOf(data); n > mostEntries {
		return fmt.Errorf("%w: a page of it has %d entries", errTooMuch, n)
	}
	return json.Unmarshal(data, (*[]T)(p))
}

// entriesOf counts the entries of a valid JSON list, never fewer than it has.
func entriesOf(list []byte) int {
	entries, depth, quoted := 1, 0, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			entries++
		}
	}
	return entries
}

// unread is a part of an answer that is not looked at.
type unread struct{}

// UnmarshalJSON takes whatever it is.
func (*unread) UnmarshalJSON([]byte) error { return nil }
