package cfclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// StatusURL is where Cloudflare says how it is doing. The page is served by
// somebody else than Cloudflare's own edge, so that it speaks when that is down.
// https://www.cloudflarestatus.com/api
const StatusURL = "https://www.cloudflarestatus.com/api/v2/summary.json"

// Status asks Cloudflare's status service. It needs no token.
type Status struct {
	World     ddns.World
	URL       string // empty means StatusURL
	UserAgent string // empty means "cfddns"
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
	address, agent := s.URL, s.UserAgent
	if address == "" {
		address = StatusURL
	}
	if agent == "" {
		agent = "cfddns"
	}
	op := "ask Cloudflare's status service"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &ddns.Error{Op: op, Err: err}
	}
	request.Header.Set("User-Agent", agent)
	edge := Edge{World: s.World}
	transport := edge.transportTo(ctx, net.JoinHostPort(request.URL.Hostname(), portOf(request.URL.Port())))
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, &ddns.Error{Kind: ddns.Unreachable, Op: op, Err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxSummary))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers HTTP %d", response.StatusCode)
	}
	if err != nil {
		return nil, &ddns.Error{Kind: ddns.Unreachable, Op: op, Err: err}
	}
	incidents, err := readSummary(body)
	if err != nil {
		return nil, &ddns.Error{Kind: ddns.Unreachable, Op: op, Err: err}
	}
	return incidents, nil
}

func portOf(port string) string {
	if port == "" {
		return "443"
	}
	return port
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
			incident.Components = append(incident.Components, c.Name)
		}
		incidents = append(incidents, incident)
	}
	return incidents, nil
}

// Touches reports whether an incident is about what serves names and pages.
// The service lists components by name only; where none is named, the title
// is all there is.
func (i Incident) Touches() bool {
	words := strings.ToLower(i.Name + " " + strings.Join(i.Components, " "))
	for _, what := range []string{"dns", "cdn", "cache", "edge", "network", "origin", "5xx", "error", "latency", "connectivity"} {
		if strings.Contains(words, what) {
			return true
		}
	}
	return false
}
