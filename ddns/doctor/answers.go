package doctor

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// kind sorts the answers that visitors get by whom they speak of.
type kind int

const (
	fine      kind = iota // whatever the origin says on purpose: a page, a login, "not found"
	byEdge                // a page of Cloudflare's own: 1xxx, or 5xx between it and the origin
	challenge             // a puzzle for browsers
	blocked               // turned away by Cloudflare
	limited               // too many questions
	forbidden             // 403, and nobody says who made it
	failed                // 5xx, and nobody says who made it
	loop                  // a redirect to the page itself
	waits                 // the edge accepted the question and does not answer
	silent                // no connection
	stranger              // an answer that did not come through Cloudflare
)

// answer is a kind of answer, as it is counted.
type answer struct {
	kind   kind
	code   int // of Cloudflare's error page, else the status
	status int
}

// answerOf sorts one look. A 403 without Cloudflare's marks may be the
// origin's: it passes through with the same headers.
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/4xx-client-error/error-403/
func answerOf(url string, l Look) answer {
	return answer{kindOf(url, l), cmp.Or(l.Answer.CloudflareError, l.Answer.Status), l.Answer.Status}
}

func kindOf(url string, l Look) kind {
	a := l.Answer
	switch {
	case l.Trouble == Waits:
		return waits
	case l.Trouble != "":
		return silent
	case a.Challenge:
		return challenge
	case a.CloudflareError == 1015 || a.Status == http.StatusTooManyRequests:
		return limited
	case slices.Contains([]int{1005, 1006, 1007, 1008, 1009, 1010, 1012, 1020}, a.CloudflareError), a.Blocked:
		return blocked
	case a.CloudflareError != 0:
		return byEdge
	case !a.Cloudflare && !strings.HasPrefix(url, "https://"):
		return stranger // over TLS its certificate says who it is
	case a.Status >= 520 && a.Status <= 530:
		return byEdge // statuses that only Cloudflare uses
	case a.Status == http.StatusForbidden:
		return forbidden
	case a.Status >= 500:
		return failed
	case a.Status >= 300 && a.Status < 400 && a.Location != "" && a.Location == url:
		return loop
	default:
		return fine
	}
}

// text names an answer as a person would look it up.
func (a answer) text() string {
	switch a.kind {
	case waits:
		return "no answer in time"
	case silent:
		return "no connection"
	case challenge:
		return fmt.Sprintf("%d challenge", a.code)
	case byEdge, blocked, limited:
		if a.code == a.status {
			return fmt.Sprint(a.code)
		}
		return fmt.Sprintf("%d error %d", a.status, a.code)
	case loop:
		return fmt.Sprintf("%d to itself", a.code)
	case stranger:
		return fmt.Sprintf("%d, not through Cloudflare", a.code)
	case fine, forbidden, failed:
		return fmt.Sprint(a.code)
	}
	return ""
}

// tally counts the answers of several looks.
type tally struct {
	known  bool
	all    int
	counts map[answer]int
	// alive is set if the edge was seen to answer for itself: what it does not
	// answer is then for want of the origin.
	alive bool
}

func tallyOf(url string, looks Fact[[]Look]) tally {
	t := tally{known: looks.Known && len(looks.Value) > 0, counts: map[answer]int{}}
	for _, l := range looks.Value {
		if looks.Known {
			t.all++
			t.counts[answerOf(url, l)]++
		}
	}
	return t
}

// of counts the answers of a kind; with codes, only those.
func (t tally) of(k kind, codes ...int) (n int) {
	for a, times := range t.counts {
		if a.kind == k && (len(codes) == 0 || slices.Contains(codes, a.code)) {
			n += times
		}
	}
	return n
}

// has reports whether the edge answered with one of its own pages.
func (t tally) has(codes ...int) bool { return t.of(byEdge, codes...) > 0 }

// unreached counts the answers which say that the edge does not get through to
// the origin. It waits 19 s for a connection, longer than we do.
func (t tally) unreached() int {
	n := t.of(byEdge, 521, 522, 523)
	if t.alive {
		n += t.of(waits)
	}
	return n
}

// bad counts what no visitor should see.
func (t tally) bad() int { return t.all - t.of(fine) }

// well reports whether all visitors are served.
func (t tally) well() bool { return t.known && t.bad() == 0 }

// list is the counts, the most frequent first.
func (t tally) list() []Count {
	list := []Count{}
	for a, n := range t.counts {
		list = append(list, Count{Answer: a.text(), Times: n, Of: t.all})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(b.Times-a.Times, strings.Compare(a.Answer, b.Answer)) })
	return list
}

// text is the counts in words.
func (t tally) text() string {
	var words []string
	for _, c := range t.list() {
		words = append(words, fmt.Sprintf("%d of %d: %s", c.Times, c.Of, c.Answer))
	}
	return strings.Join(words, ", ")
}

// some names the given answers with their share: "7 of 12: 530 error 1016".
func (t tally) some(match func(answer) bool) string {
	part := tally{all: t.all, counts: map[answer]int{}}
	for a, n := range t.counts {
		if match(a) {
			part.counts[a] = n
		}
	}
	return part.text()
}
