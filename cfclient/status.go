package cfclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cfddns/cfddns/ddns"
)

// StatusURL is where Cloudflare says how it is doing. The page is served by
// somebody else than Cloudflare's own edge, so that it speaks when that is down.
// https://www.cloudflarestatus.com/api
const StatusURL = "https://www.cloudflarestatus.com/api/v2/summary.json"

// Status asks Cloudflare's status service. It needs no token.
type Status struct {
	World     ddns.World
	URL       string        // empty means StatusURL
	UserAgent string        // empty means "cfddns"
	Timeout   time.Duration // of the question; 0 means DefaultTimeout
}

// Incident is what the status service reports and has not yet resolved.
type Incident struct {
	Name       string
	Impact     string // "none", "minor", "major", "critical"
	Components []string
}

// maxSummary is as much of the summary as is read: with its hundreds of
// components it has a few hundred KiB.
const maxSummary = 4 << 20

// Incidents returns what is going on; none is an answer too.
func (s Status) Incidents(ctx context.Context) ([]Incident, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Timeout, DefaultTimeout))
	defer cancel()
	body, err := s.summary(ctx)
	var incidents []Incident
	if err == nil {
		incidents, err = readSummary(body)
	}
	if err != nil {
		return nil, &ddns.Error{Kind: ddns.Unreachable, Op: "ask Cloudflare's status service", Err: err}
	}
	return incidents, nil
}

// summary fetches the document.
func (s Status) summary(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, cmp.Or(s.URL, StatusURL), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", cmp.Or(s.UserAgent, "cfddns"))
	at := net.JoinHostPort(request.URL.Hostname(), cmp.Or(request.URL.Port(), "443"))
	world := s.World
	if s.URL == "" {
		world = ddns.Named(world, ddns.Complete)
	}
	transport := oneQuestion(ctx, world, at)
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers HTTP %d", response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxSummary))
}

// readSummary reads the incidents out of a summary. A document without the
// list is none: it must not look as if all were well.
func readSummary(body []byte) ([]Incident, error) {
	var summary struct {
		Incidents *[]struct {
			Name       string     `json:"name"`
			Impact     string     `json:"impact"`
			Status     string     `json:"status"`
			Resolved   *time.Time `json:"resolved_at"`
			Components []struct {
				Name string `json:"name"`
			} `json:"components"`
		} `json:"incidents"`
	}
	if err := json.Unmarshal(body, &summary); err != nil {
		return nil, fmt.Errorf("its answer is no summary: %w", err)
	}
	if summary.Incidents == nil {
		return nil, errors.New("its answer is no summary: there is no list of incidents")
	}
	incidents := []Incident{}
	for _, in := range *summary.Incidents {
		if in.Resolved != nil || in.Status == "resolved" || in.Status == "postmortem" {
			continue
		}
		incident := Incident{Name: printable(in.Name), Impact: printable(in.Impact)}
		for _, c := range in.Components {
			incident.Components = append(incident.Components, printable(c.Name))
		}
		incidents = append(incidents, incident)
	}
	return incidents, nil
}

// Touches reports whether an incident is about what serves names and pages.
// The service lists components by name only; where none is named, the title
// is all there is.
func (i Incident) Touches() bool {
	words := strings.FieldsFunc(strings.ToLower(i.Name+" "+strings.Join(i.Components, " ")), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(servingWords(), word) })
}

// servingWords occur in incidents about what serves names and pages.
func servingWords() []string {
	return []string{"dns", "cdn", "cache", "edge", "network", "origin", "5xx", "error", "errors", "latency", "connectivity"}
}
