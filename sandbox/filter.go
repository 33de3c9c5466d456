package sandbox

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A condition tells whether a record is wanted.
type condition func(*record) bool

func all(conditions []condition) condition {
	return func(r *record) bool {
		return !slices.ContainsFunc(conditions, func(c condition) bool { return !c(r) })
	}
}

func anyOf(conditions []condition) condition {
	return func(r *record) bool {
		return slices.ContainsFunc(conditions, func(c condition) bool { return c(r) })
	}
}

// readFilter reads the parameters of a list of records. Those it does not
// know are ignored.
// https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/list/
func readFilter(query url.Values) (condition, error) {
	combine, err := readMatch(query, "match")
	if err != nil {
		return nil, err
	}
	conditions := textConditions(query)
	more, err := valueConditions(query)
	if err != nil {
		return nil, err
	}
	conditions = append(conditions, more...)
	combineTags, err := readMatch(query, "tag_match")
	if err != nil {
		return nil, err
	}
	if tags := tagConditions(query); len(tags) > 0 {
		conditions = append(conditions, combineTags(tags))
	}
	if len(conditions) == 0 {
		return func(*record) bool { return true }, nil
	}
	return combine(conditions), nil
}

// readMatch reads how conditions are combined.
func readMatch(query url.Values, parameter string) (func([]condition) condition, error) {
	switch query.Get(parameter) {
	case "", "all":
		return all, nil
	case "any":
		return anyOf, nil
	}
	return nil, badParameter(parameter, "all or any")
}

func badParameter(name, want string) *refusal {
	return invalid(9207, "Request parameter %s is invalid: it must be %s.", name, want)
}

// comparisons are the endings of a parameter that compares text: name.contains.
func comparisons() map[string]func(value, want string) bool {
	equal := func(value, want string) bool { return value == want }
	return map[string]func(value, want string) bool{
		"":            equal,
		".exact":      equal,
		".contains":   strings.Contains,
		".startswith": strings.HasPrefix,
		".endswith":   strings.HasSuffix,
	}
}

// textConditions reads what is asked of name, content and comment; case does
// not matter.
func textConditions(query url.Values) []condition {
	fields := map[string]func(*record) string{
		"name":    func(r *record) string { return r.Name },
		"content": func(r *record) string { return strings.ToLower(r.Content) },
		"comment": func(r *record) string { return strings.ToLower(r.Comment) },
	}
	var conditions []condition
	for field, value := range fields {
		for ending, matches := range comparisons() {
			for _, want := range query[field+ending] {
				want = strings.ToLower(want)
				if field == "name" {
					want = foldName(want)
				}
				conditions = append(conditions, func(r *record) bool { return matches(value(r), want) })
			}
		}
	}
	for _, word := range query["search"] {
		conditions = append(conditions, searched(strings.ToLower(word)))
	}
	return conditions
}

// searched is the condition that some text of a record contains all words.
func searched(text string) condition {
	words := strings.Fields(text)
	return func(r *record) bool {
		texts := strings.ToLower(strings.Join(append([]string{r.Name, r.Type, r.Content, r.Comment}, r.Tags...), "\n"))
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(texts, word) })
	}
}

// valueConditions reads what is asked of the other fields.
func valueConditions(query url.Values) ([]condition, error) {
	var conditions []condition
	for _, want := range given(query, "type") {
		if !slices.Contains(recordTypes(), want) {
			return nil, errType()
		}
		conditions = append(conditions, func(r *record) bool { return r.Type == want })
	}
	for _, word := range given(query, "proxied") {
		want, err := strconv.ParseBool(word)
		if err != nil {
			return nil, badParameter("proxied", "true or false")
		}
		conditions = append(conditions, func(r *record) bool { return r.Proxied == want })
	}
	if query.Has("comment.present") {
		conditions = append(conditions, func(r *record) bool { return r.Comment != "" })
	}
	if query.Has("comment.absent") {
		conditions = append(conditions, func(r *record) bool { return r.Comment == "" })
	}
	return conditions, nil
}

// given returns the values of a parameter that are not empty.
func given(query url.Values, parameter string) []string {
	return slices.DeleteFunc(slices.Clone(query[parameter]), func(v string) bool { return v == "" })
}

// tagConditions reads what is asked of the tags. A tag is NAME:VALUE, and the
// name must match in whole: tag.contains=NAME:PART.
func tagConditions(query url.Values) []condition {
	var conditions []condition
	for ending, matches := range comparisons() {
		for _, want := range query["tag"+ending] {
			name, value, _ := strings.Cut(strings.ToLower(want), ":")
			conditions = append(conditions, func(r *record) bool {
				return slices.ContainsFunc(r.Tags, func(tag string) bool {
					n, v, _ := strings.Cut(strings.ToLower(tag), ":")
					return n == name && matches(v, value)
				})
			})
		}
	}
	for _, name := range query["tag.present"] {
		conditions = append(conditions, func(r *record) bool { return r.tagged(name) })
	}
	for _, name := range query["tag.absent"] {
		conditions = append(conditions, func(r *record) bool { return !r.tagged(name) })
	}
	return conditions
}

// tagged tells whether a record has a tag of a name.
func (r *record) tagged(name string) bool {
	return slices.ContainsFunc(r.Tags, func(tag string) bool {
		n, _, _ := strings.Cut(tag, ":")
		return strings.EqualFold(n, name)
	})
}

// sortRecords sorts by one field; records that are equal in it stay in the
// order of their creation, so that pages do not overlap.
func sortRecords(records []*record, order, direction string) error {
	orders := map[string]func(a, b *record) int{
		"":        func(a, b *record) int { return cmp.Compare(a.Type, b.Type) },
		"type":    func(a, b *record) int { return cmp.Compare(a.Type, b.Type) },
		"name":    func(a, b *record) int { return cmp.Compare(a.Name, b.Name) },
		"content": func(a, b *record) int { return cmp.Compare(a.Content, b.Content) },
		"ttl":     func(a, b *record) int { return cmp.Compare(a.TTL, b.TTL) },
		"proxied": func(a, b *record) int { return cmp.Compare(proxiedRank(a), proxiedRank(b)) },
	}
	compare, ok := orders[order]
	if !ok {
		return badParameter("order", "type, name, content, ttl or proxied")
	}
	slices.SortStableFunc(records, compare)
	switch direction {
	case "", "asc":
	case "desc":
		slices.Reverse(records)
	default:
		return badParameter("direction", "asc or desc")
	}
	return nil
}

func proxiedRank(r *record) int {
	if r.Proxied {
		return 1
	}
	return 0
}
