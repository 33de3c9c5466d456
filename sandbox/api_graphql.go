package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// graphQL answers POST /graphql: the security events and the counted answers
// of a zone. https://developers.cloudflare.com/analytics/graphql-api/
func (s *Sandbox) graphQL(c *call) answer {
	var body struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if json.NewDecoder(c.Body).Decode(&body) != nil {
		return gqlFailed(http.StatusBadRequest, "request body is not valid JSON")
	}
	fields, err := parseGraphQL(body.Query, body.Variables)
	if err != nil {
		return gqlFailed(http.StatusBadRequest, err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := gqlQuery{s: s, token: c.token, now: c.now}
	data := g.object(fields, map[string]func(selection) any{"viewer": g.viewer})
	if g.wrong != "" {
		return gqlFailed(g.status, g.wrong)
	}
	return answer{bare: map[string]any{"data": data, "errors": nil}}
}

func gqlFailed(status int, message string) answer {
	return answer{status: status, bare: graphQLError(message)}
}

// graphQLError is an answer that tells an error and nothing else.
// https://developers.cloudflare.com/analytics/graphql-api/errors/
func graphQLError(message string) any {
	return map[string]any{"data": nil, "errors": []any{map[string]any{
		"message": message, "path": nil,
		"extensions": map[string]any{"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "ray_id": newRay()},
	}}}
}

// gqlQuery is one query on its way through the data; the caller holds s.mu.
type gqlQuery struct {
	s      *Sandbox
	token  token
	now    time.Time
	status int    // HTTP, of the first thing that is wrong
	wrong  string // "" as long as nothing is
}

func (g *gqlQuery) fail(status int, format string, args ...any) {
	if g.wrong == "" {
		g.status, g.wrong = status, fmt.Sprintf(format, args...)
	}
}

// object answers fields, each by its name.
func (g *gqlQuery) object(fields []selection, known map[string]func(selection) any) map[string]any {
	data := make(map[string]any)
	for _, f := range fields {
		resolve, ok := known[f.name]
		if !ok {
			g.fail(http.StatusBadRequest, "unknown field %q", f.name)
			return nil
		}
		data[f.alias] = resolve(f)
	}
	return data
}

func (g *gqlQuery) viewer(f selection) any {
	return g.object(f.fields, map[string]func(selection) any{"zones": g.zones})
}

func (g *gqlQuery) zones(f selection) any {
	tag, _ := f.arg("filter")["zoneTag"].(string)
	i := slices.IndexFunc(g.s.zones, func(z *zone) bool { return z.ID == tag && g.token.allowsZone(z.Name) })
	if i < 0 {
		g.fail(http.StatusForbidden, "zones [%q] are not authorized", tag)
		return nil
	}
	z := g.s.zones[i]
	return []any{g.object(f.fields, map[string]func(selection) any{
		"firewallEventsAdaptive":     func(f selection) any { return g.rows(f, z) },
		"httpRequestsAdaptiveGroups": func(f selection) any { return g.groups(f, z) },
		"firewallEventsAdaptiveGroups": func(selection) any {
			g.fail(http.StatusForbidden, "zone %q does not have access to the path", z.ID)
			return nil
		},
		"settings": func(f selection) any { return g.settings(f, z) },
	})}
}

// retention is how long the analytics of a plan look back.
func retention(plan string) time.Duration {
	switch plan {
	case "business":
		return 72 * time.Hour
	case "enterprise":
		return 30 * 24 * time.Hour
	}
	return 24 * time.Hour
}

// settings answers what may be asked of a dataset.
func (g *gqlQuery) settings(f selection, z *zone) any {
	limits := func(f selection) any {
		seconds := int(retention(z.Plan).Seconds())
		data := make(map[string]any)
		for _, one := range f.fields {
			data[one.alias] = map[string]any{"enabled": true, "maxDuration": seconds, "notOlderThan": seconds,
				"maxNumberOfFields": 30, "maxPageSize": maxPage}[one.name]
		}
		return data
	}
	return g.object(f.fields, map[string]func(selection) any{"firewallEventsAdaptive": limits, "httpRequestsAdaptiveGroups": limits})
}
