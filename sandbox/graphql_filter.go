package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// check tells what is wrong with a question about a dataset, also where there
// is no row that would show it: its columns, its filter, and that it does not
// look back further than the plan allows.
func (g *gqlQuery) check(f selection, z *zone, example row, wanted []selection) {
	for _, one := range wanted {
		if _, ok := example[one.name]; !ok {
			g.fail(http.StatusBadRequest, "unknown field %q", one.name)
		}
	}
	filter := f.arg("filter")
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		g.passes(example, map[string]any{name: filter[name]}) // each, whether or not the others pass
	}
	oldest := g.now.Add(-retention(z.Plan) - time.Minute) // a minute for the clock of the one who asks
	for _, bound := range []string{"datetime", "datetime_geq", "datetime_gt", "datetimeMinute_geq"} {
		text, ok := filter[bound].(string)
		if !ok {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		switch {
		case err != nil:
			g.fail(http.StatusBadRequest, "error parsing args for %q: filter %s: %q is not a time", f.name, bound, text)
		case at.Before(oldest):
			g.fail(http.StatusBadRequest, "cannot request data older than %ds", int(retention(z.Plan).Seconds()))
		}
	}
}

// passes judges a row: every condition of the filter must hold.
func (g *gqlQuery) passes(r row, filter map[string]any) bool {
	for name, want := range filter {
		if name == "AND" || name == "OR" {
			if !g.combined(r, name, want) {
				return false
			}
			continue
		}
		column, operator, _ := strings.Cut(name, "_")
		if column == "datetimeMinute" || column == "datetimeHour" || column == "date" {
			column = "datetime"
		}
		have, ok := r[column]
		if !ok {
			g.fail(http.StatusBadRequest, "unknown arg %s", name)
			return false
		}
		if !g.holds(have, operator, want) {
			return false
		}
	}
	return true
}

// combined judges a list of filters, of which all must hold, or one.
func (g *gqlQuery) combined(r row, how string, want any) bool {
	list, ok := want.([]any)
	if !ok {
		list = []any{want}
	}
	for _, one := range list {
		filter, _ := one.(map[string]any)
		if g.passes(r, filter) == (how == "OR") {
			return how == "OR"
		}
	}
	return how == "AND"
}

// holds judges one condition: a column, an operator, a value.
func (g *gqlQuery) holds(have any, operator string, want any) bool {
	if operator == "in" || operator == "notin" {
		list, _ := want.([]any)
		among := slices.ContainsFunc(list, func(one any) bool { return compareValues(have, one) == 0 })
		return among == (operator == "in")
	}
	c := compareValues(have, want)
	switch operator {
	case "":
		return c == 0
	case "neq":
		return c != 0
	case "geq":
		return c >= 0
	case "gt":
		return c > 0
	case "leq":
		return c <= 0
	case "lt":
		return c < 0
	case "like":
		pattern, _ := want.(string)
		return wildcard(strings.ReplaceAll(pattern, "%", "*"), true)(datum{text: fmt.Sprint(have)})
	}
	g.fail(http.StatusBadRequest, "unknown operator %q", operator)
	return false
}

// compareValues compares numbers as numbers, times as times, and the rest as text.
func compareValues(a, b any) int {
	x, okX := asNumber(a)
	y, okY := asNumber(b)
	if okX && okY {
		return cmp.Compare(x, y)
	}
	at, errA := time.Parse(time.RFC3339, fmt.Sprint(a))
	bt, errB := time.Parse(time.RFC3339, fmt.Sprint(b))
	if errA == nil && errB == nil {
		return at.Compare(bt)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}

// ordered sorts rows by words such as datetime_DESC.
func (g *gqlQuery) ordered(f selection, rows []row) []row {
	list, _ := f.args["orderBy"].([]any)
	if len(list) == 0 {
		return rows
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		for _, one := range list {
			column, direction, _ := strings.Cut(fmt.Sprint(one), "_")
			c := compareColumn(a, b, column)
			if direction == "DESC" {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}

func compareColumn(a, b row, column string) int { return compareValues(a[column], b[column]) }
