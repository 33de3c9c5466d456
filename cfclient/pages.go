package cfclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/cfddns/cfddns/ddns"
)

// longestList bounds a listing: no zone holds more records.
const longestList = 1_000_000

// keyed is an entry of a listing that bears an ID.
type keyed interface{ key() string }

// errLonger is a list with more entries than the caller wants to read.
var errLonger = errors.New("the list is longer than that")

// askPages asks for page after page until it has as many entries as Cloudflare
// says there are. A list that comes out shorter is an error and not a short
// list: what is missing in it would be taken for deleted and created again. Of
// a list with more than most entries it reads the first page and returns
// errLonger. A list that would take more than mostPages pages as long as the
// first one is not read at all.
func askPages[T keyed](ctx context.Context, c *Client, q question, most int, send func(page int) sender) ([]T, error) {
	var list page[T]
	size := 0
	for number := 1; ; number++ {
		answer, err := ask[page[T]](ctx, c, q, send(number))
		if err != nil {
			return nil, err
		}
		if answer.Info == nil || answer.Info.TotalCount == nil {
			return nil, untrusted(q, errors.New("the answer does not say how long the list is"))
		}
		entries, total := *answer.Result, *answer.Info.TotalCount
		size += answer.size
		switch {
		case total < 0, total > longestList:
			return nil, untrusted(q, fmt.Errorf("the answer says that the list has %d entries", total))
		case total > most:
			return nil, errLonger
		case total > mostPages*max(len(entries), 1) && number == 1, number > mostPages:
			return nil, untrusted(q, fmt.Errorf("%w: it says that there are %d entries, and gives %d at a time",
				errTooMuch, total, len(entries)))
		case size > mostListing:
			return nil, untrusted(q, fmt.Errorf("%w: its pages are larger than %d MiB together",
				errTooMuch, mostListing>>20))
		}
		if number == 1 {
			list = entries
		} else {
			list = append(list, entries...)
		}
		if len(list) < total && len(entries) > 0 {
			continue
		}
		if different := countKeys(list); different != total || different != len(list) {
			return nil, untrusted(q, fmt.Errorf("read %d of %d entries: the list changed meanwhile, or is cut", different, total))
		}
		return list, nil
	}
}

// countKeys counts the different IDs of a list.
func countKeys[T keyed](list []T) int {
	seen := make(map[string]struct{}, len(list))
	for _, entry := range list {
		if entry.key() != "" {
			seen[entry.key()] = struct{}{}
		}
	}
	return len(seen)
}

// untrusted is the error of an answer that came and cannot be believed.
func untrusted(q question, err error) *ddns.Error {
	return &ddns.Error{Kind: silence(q), Op: q.op, Err: err, Hint: hintTheirs}
}
