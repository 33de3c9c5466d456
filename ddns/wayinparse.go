package ddns

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseWayIn reads a rule of ours back. It knows the one form in which Rule
// writes them; ok is false for every other rule, such as one that somebody
// changed by hand.
func ParseWayIn(r Rule) (w WayIn, ok bool) {
	name, ours := Ours(r)
	if !ours || r.Action != "skip" {
		return WayIn{}, false
	}
	w = WayIn{Name: name, Skips: skipsOf(r)}
	text := strings.Join(strings.Fields(r.Expression), " ")
	text, ok = strings.CutPrefix(text, "(")
	if !ok || !strings.HasSuffix(text, ")") {
		return WayIn{}, false
	}
	for i, part := range strings.Split(strings.TrimSuffix(text, ")"), " and ") {
		if !w.read(part) || (i == 0) != strings.HasPrefix(part, "http.host ") {
			return WayIn{}, false
		}
	}
	if w.Validate() != nil || !sameRule(w.Rule(), r) {
		return WayIn{}, false
	}
	return w, true
}

// skipsOf are the words for what a rule skips, as far as words exist for it.
func skipsOf(r Rule) (words []string) {
	for _, s := range skips() {
		fits := (s.product == "" || slices.Contains(r.Products, s.product)) &&
			(s.phase == "" || slices.Contains(r.Phases, s.phase)) &&
			(s.ruleset == "" || r.Ruleset == s.ruleset)
		if fits {
			words = append(words, s.word)
		}
	}
	return words
}

// read takes in one condition of an expression.
func (w *WayIn) read(part string) (ok bool) {
	if list, found := between(part, "http.host in {", "}"); found {
		for word := range strings.FieldsSeq(list) {
			host, quoted := between(word, `"`, `"`)
			if !quoted {
				return false
			}
			w.Hosts = append(w.Hosts, host)
		}
		return true
	}
	if list, found := between(part, "ip.src in {", "}"); found {
		for word := range strings.FieldsSeq(list) {
			p, err := readPrefix(word)
			if err != nil {
				return false
			}
			w.Addresses = append(w.Addresses, p)
		}
		return true
	}
	if pair, found := between(part, `any(http.request.headers["`, `")`); found {
		header, secret, found := strings.Cut(pair, `"][*] eq "`)
		w.Header, w.Secret = header, NewSecret(secret)
		return found
	}
	if number, found := between(part, "http.request.timestamp.sec lt ", ""); found {
		seconds, err := strconv.ParseInt(number, 10, 64)
		w.Until = time.Unix(seconds, 0).UTC()
		return err == nil && seconds > 0
	}
	return false
}

// between cuts both ends off a text.
func between(text, before, after string) (inner string, ok bool) {
	inner, begins := strings.CutPrefix(text, before)
	inner, ends := strings.CutSuffix(inner, after)
	return inner, begins && ends
}

// readPrefix reads an address or a prefix.
func readPrefix(word string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(word); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(word)
}

// sameRule reports whether two rules let the same in, past the same. Order and
// white space say nothing.
func sameRule(a, b Rule) bool {
	return inOrder(a.Expression) == inOrder(b.Expression) && a.Action == b.Action && a.Ruleset == b.Ruleset &&
		sameSet(a.Products, b.Products) && sameSet(a.Phases, b.Phases)
}

// inOrder sorts the words of an expression, since the members of its sets have
// no order. Two of our expressions with the same words are the same.
func inOrder(expression string) string {
	fields := strings.Fields(strings.NewReplacer("{", "{ ", "}", " }").Replace(expression))
	slices.Sort(fields)
	return strings.Join(fields, " ")
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
