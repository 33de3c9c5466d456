package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// statusHost is where Cloudflare says how it is, without the www.
const statusHost = "cloudflarestatus.com"

// Incident is something wrong at Cloudflare that its status service tells.
type Incident struct {
	Name       string   `json:"name"`
	Status     string   `json:"status"`     // investigating, identified, monitoring; empty means investigating
	Impact     string   `json:"impact"`     // minor, major, critical; empty means minor
	Components []string `json:"components"` // "Authoritative DNS", "CDN/Cache", "API", …
}

// SetStatus makes the status service tell these incidents; with none all
// systems are operational.
func (s *Sandbox) SetStatus(incidents ...Incident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incidents = incidents
}

// startStatus serves the status service.
func (s *Sandbox) startStatus() error {
	cert, err := s.certificateOf(statusHost, "www."+statusHost)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v2/summary.json", s.statusSummary)
	at, err := s.serveSite(site{certificate: cert, handler: mux})
	if err != nil {
		return err
	}
	s.places.put(placeStatus, at)
	return nil
}

// statusSummary answers as https://www.cloudflarestatus.com/api/v2/summary.json does.
func (s *Sandbox) statusSummary(w http.ResponseWriter, r *http.Request) {
	if fault, ok := s.takeFault("status"); ok && s.faultySite(w, r, fault) {
		return
	}
	s.mu.Lock()
	incidents := slices.Clone(s.incidents)
	s.mu.Unlock()
	body, err := json.Marshal(statusDoc(incidents, time.Now()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body)
}

func statusDoc(incidents []Incident, now time.Time) any {
	at := now.UTC().Format("2006-01-02T15:04:05.000Z")
	var components, told []any
	worst, hit := "none", make(map[string]string)
	for _, one := range incidents {
		impact, status := cmp.Or(one.Impact, "minor"), cmp.Or(one.Status, "investigating")
		if slices.Index(impacts[:], impact) > slices.Index(impacts[:], worst) {
			worst = impact
		}
		for _, name := range one.Components {
			hit[name] = impact
		}
		told = append(told, map[string]any{"id": idOf("incident " + one.Name)[:12], "name": one.Name, "status": status, "impact": impact,
			"created_at": at, "updated_at": at, "shortlink": "https://stspg.io/sandbox", "components": []any{}, "incident_updates": []any{}})
	}
	names := []string{"API", "Authoritative DNS", "CDN/Cache", "Cloudflare Tunnel", "Dashboard", "DNS Updates", "Firewall"}
	for _, one := range incidents {
		names = append(names, one.Components...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		status := map[string]string{"": "operational", "minor": "degraded_performance", "major": "partial_outage", "critical": "major_outage"}[hit[name]]
		components = append(components, map[string]any{"id": idOf("component " + name)[:12], "name": name, "status": cmp.Or(status, "degraded_performance"),
			"created_at": at, "updated_at": at, "group": false})
	}
	words := map[string]string{"none": "All Systems Operational", "minor": "Minor Service Outage", "major": "Partial System Outage", "critical": "Major Service Outage"}
	if told == nil {
		told = []any{}
	}
	return map[string]any{
		"page":       map[string]any{"id": "yh6f0r4529hb", "name": "Cloudflare", "url": "https://www." + statusHost, "time_zone": "Etc/UTC", "updated_at": at},
		"components": components, "incidents": told, "scheduled_maintenances": []any{},
		"status": map[string]any{"indicator": worst, "description": words[worst]},
	}
}

// impacts of an incident, the least first.
var impacts = [...]string{"none", "minor", "major", "critical"}
