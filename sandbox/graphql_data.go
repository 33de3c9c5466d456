package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// row is one line of a dataset: its columns by name.
type row map[string]any

func inZone(host string, z *zone) bool { return host == z.Name || hasSuffixLabel(host, z.Name) }

// eventRow shows a security event.
func eventRow(e Event) row {
	return row{
		"datetime": e.At.UTC().Format(time.RFC3339), "action": e.Action, "source": e.Source, "ruleId": e.RuleID,
		"rulesetId": "", "rayName": idOf(e.At.String() + e.Path)[:16], "clientIP": e.Client.String(), "clientAsn": fmt.Sprint(clientASN),
		"clientCountryName": clientCountry, "clientRequestHTTPHost": e.Host, "clientRequestHTTPMethodName": e.Method,
		"clientRequestPath": e.Path, "clientRequestQuery": "", "edgeResponseStatus": e.Status, "userAgent": e.UserAgent, "matchIndex": 0,
	}
}

// minuteRow shows what was counted.
func minuteRow(key minuteKey, n int) row {
	at := key.minute.Format(time.RFC3339)
	return row{
		"datetime": at, "datetimeMinute": at, "datetimeHour": key.minute.Truncate(time.Hour).Format(time.RFC3339),
		"clientRequestHTTPHost": key.host, "edgeResponseStatus": key.status, "count": n,
	}
}

// maxPage is how many rows an answer may have.
const maxPage = 10_000

// limit reads how many rows are wanted.
func (g *gqlQuery) limit(f selection) int {
	n, ok := f.args["limit"].(float64)
	if !ok || n < 1 || n > maxPage {
		g.fail(http.StatusBadRequest, "limit must be between 1 and %d", maxPage)
		return 0
	}
	return int(n)
}

// rows answers the security events one by one, with the columns that were
// asked for.
func (g *gqlQuery) rows(f selection, z *zone) any {
	g.check(f, z, eventRow(Event{}), f.fields)
	var found []row
	for _, e := range g.s.seen.events {
		if r := eventRow(e); inZone(e.Host, z) && g.passes(r, f.arg("filter")) {
			found = append(found, r)
		}
	}
	found = g.ordered(f, found)
	result := []any{}
	for _, r := range found[:min(len(found), g.limit(f))] {
		result = append(result, columns(f.fields, r))
	}
	return result
}

// columns shows the columns of a row that were asked for.
func columns(fields []selection, r row) map[string]any {
	shown := make(map[string]any)
	for _, f := range fields {
		shown[f.alias] = r[f.name]
	}
	return shown
}

// groups answers counts, added up by the dimensions that were asked for.
func (g *gqlQuery) groups(f selection, z *zone) any {
	var dimensions []selection
	for _, one := range f.fields {
		switch one.name {
		case "dimensions":
			dimensions = one.fields
		case "count":
		default:
			g.fail(http.StatusBadRequest, "unknown field %q", one.name)
		}
	}
	g.check(f, z, minuteRow(minuteKey{}, 0), dimensions)
	var found []row
	for key, n := range g.s.seen.minutes {
		if r := minuteRow(key, n); inZone(key.host, z) && g.passes(r, f.arg("filter")) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b row) int { // a map has no order of its own
		return cmp.Or(compareColumn(a, b, "datetime"), compareColumn(a, b, "clientRequestHTTPHost"), compareColumn(a, b, "edgeResponseStatus"))
	})
	sums := g.ordered(f, addUp(found, dimensions))
	result := []any{}
	for _, r := range sums[:min(len(sums), g.limit(f))] {
		shown := make(map[string]any)
		for _, one := range f.fields {
			shown[one.alias] = r["count"]
			if one.name == "dimensions" {
				shown[one.alias] = columns(dimensions, r)
			}
		}
		result = append(result, shown)
	}
	return result
}

// addUp adds the counts of rows that are the same in all dimensions.
func addUp(rows []row, dimensions []selection) []row {
	var sums []row
	place := make(map[string]int)
	for _, r := range rows {
		var key strings.Builder
		for _, d := range dimensions {
			fmt.Fprint(&key, r[d.name], "\x00")
		}
		i, ok := place[key.String()]
		if !ok {
			i = len(sums)
			place[key.String()] = i
			sums = append(sums, row{"count": 0})
			for _, d := range dimensions {
				sums[i][d.name] = r[d.name]
			}
		}
		n, _ := sums[i]["count"].(int)
		more, _ := r["count"].(int)
		sums[i]["count"] = n + more
	}
	return sums
}
