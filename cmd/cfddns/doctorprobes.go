package main

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"sync"
	"time"

	"github.com/cfddns/cfddns/cfclient"
	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/doctor"
	"github.com/cfddns/cfddns/ddns/nameserver"
)

// probes are the doctor's ways to the evidence. What is the same for every name
// is asked once. Without a token everything else is there.
func (a *app) probes(cfg configs.Config) (doctor.Probes, *cloudflareSide, error) {
	p := parts{config: cfg}
	connected := p.connect(a)
	if p.network == nil {
		return doctor.Probes{}, nil, connected
	}
	a.warn(p.warnings)
	rosters, err := a.everyFamily(cfg, false)
	if err != nil {
		return doctor.Probes{}, nil, err
	}
	sources, err := a.sourceNetwork(p.network, cfg.IP.Bind)
	if err != nil {
		return doctor.Probes{}, nil, err
	}
	side := &cloudflareSide{client: p.client, without: connected, tokenFrom: p.tokenSource}
	survey := shared(func(ctx context.Context) ([]ddns.Verdict, error) {
		return ddns.Survey(ctx, rosters, cfg.IP.Timeout), nil
	})
	look := edge{cfclient.Edge{World: p.network, Address: cfg.Cloudflare.Edge, UserAgent: userAgent(), Timeout: doctor.Patience}}
	return doctor.Probes{
		DNS:    nameserver.Client{World: zoneServers(cfg, p.network)},
		System: p.network,
		Web:    web{edge: look, world: p.network},
		API:    &zonesOnce{side, shared(side.zones)}, History: side,
		Survey: func(ctx context.Context) []ddns.Verdict {
			verdicts, _ := survey(ctx)
			return verdicts
		},
		Incidents: shared(incidentsOf(cfclient.Status{World: p.network, UserAgent: userAgent()})),
		Token:     side.token,
		WAN:       routerOn(sources),
		Daemon:    shared(func(ctx context.Context) (doctor.Daemon, error) { return a.askDaemon(ctx) }),
		Past:      func() (doctor.Past, error) { return a.remembered(cfg) },
		Forwards:  forwards,
	}, side, nil
}

// shared makes a question be asked once, whoever asks first.
func shared[T any](ask func(context.Context) (T, error)) func(context.Context) (T, error) {
	var once sync.Once
	var value T
	var err error
	return func(ctx context.Context) (T, error) {
		once.Do(func() { value, err = ask(ctx) })
		return value, err
	}
}

// cloudflareSide is what is asked of Cloudflare's API. Without a token each
// call says so.
type cloudflareSide struct {
	client    *cfclient.Client
	without   error // why there is no client
	tokenFrom string
}

// CloseIdle closes what waits for the next call.
func (s *cloudflareSide) CloseIdle() {
	if s.client != nil {
		s.client.CloseIdle()
	}
}

func (s *cloudflareSide) zones(ctx context.Context) ([]ddns.Zone, error) {
	if s.client == nil {
		return nil, s.without
	}
	return s.client.Zones(ctx)
}

// Records implements doctor.API.
func (s *cloudflareSide) Records(ctx context.Context, zone ddns.Zone, names []string) (ddns.Listing, error) {
	return s.client.Records(ctx, zone, names)
}

// SecurityLevel implements doctor.History.
func (s *cloudflareSide) SecurityLevel(ctx context.Context, zone ddns.Zone) (string, error) {
	return s.client.SecurityLevel(ctx, zone)
}

// SecurityEvents implements doctor.History.
func (s *cloudflareSide) SecurityEvents(ctx context.Context, zone ddns.Zone, since, until time.Time, client netip.Addr) ([]ddns.SecurityEvent, error) {
	return s.client.SecurityEvents(ctx, zone, since, until, client)
}

// Minutes implements doctor.History.
func (s *cloudflareSide) Minutes(ctx context.Context, zone ddns.Zone, host string, since, until time.Time) ([]ddns.MinuteStatus, error) {
	return s.client.Minutes(ctx, zone, host, since, until)
}

// token asks Cloudflare about the token. That it is refused is an answer.
func (s *cloudflareSide) token(ctx context.Context, account string) (doctor.TokenState, error) {
	if s.client == nil {
		return doctor.TokenState{}, s.without
	}
	token, err := s.client.VerifyToken(ctx, account)
	state := doctor.TokenState{Status: token.Status, Expires: token.Expires, Source: s.tokenFrom}
	if k := ddns.KindOf(err); k == ddns.TokenRefused || k == ddns.Filtered {
		state.Refused, err = true, nil
	}
	return state, err
}

// zonesOnce lists the zones once for all names.
type zonesOnce struct {
	*cloudflareSide
	list func(context.Context) ([]ddns.Zone, error)
}

// Zones implements doctor.API.
func (z *zonesOnce) Zones(ctx context.Context) ([]ddns.Zone, error) { return z.list(ctx) }

func incidentsOf(s cfclient.Status) func(context.Context) ([]doctor.Incident, error) {
	return func(ctx context.Context) ([]doctor.Incident, error) {
		found, err := s.Incidents(ctx)
		incidents := make([]doctor.Incident, len(found))
		for i, in := range found {
			incidents[i] = doctor.Incident{Name: in.Name, Impact: in.Impact, Touches: in.Touches()}
		}
		return incidents, err
	}
}

// askDaemon asks the running daemon how it stands. That none answers is known.
func (a *app) askDaemon(ctx context.Context) (doctor.Daemon, error) {
	var status StatusReport
	err := a.ask(ctx, "GET", "/status", &status)
	switch {
	case errors.Is(err, errMute), errors.Is(err, fs.ErrPermission):
		return doctor.Daemon{}, err
	case errors.Is(err, errNoDaemon):
		return doctor.Daemon{}, nil
	case err != nil:
		return doctor.Daemon{Instead: err.Error()}, nil //nolint:nilerr // no daemon of this configuration answers
	}
	d := doctor.Daemon{Running: true}
	if r := status.Round; r != nil {
		d.LastRound, d.Conditions = r.Started.Add(time.Duration(r.TookMS)*time.Millisecond), r.Conditions
	}
	return d, nil
}
