package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// A need is a permission, as the dashboard names it, and the commands that
// cannot do without it. Keeping names needs none of these.
type need struct {
	permission string
	commands   string
	try        func(ctx context.Context, p *parts, zone ddns.Zone) error
}

// tokenNeeds are tried without changing anything: a rule is rehearsed, not made.
func tokenNeeds() []need {
	return []need{
		{"Zone > Zone WAF > Edit", "cfddns waf allow and revoke, and waf.allow", tryRules},
		{"Zone > Zone Settings > Read", "cfddns under-attack status, and the doctor (on and off need Edit, which only they can try)", trySettings},
		{"Zone > Analytics > Read", "the doctor and cfddns waf allow, to see whom Cloudflare turned away", tryEvents},
	}
}

// checkNeeds says which permissions the token lacks, and for what, side by side
// over the zones that were found.
func (p *parts) checkNeeds(ctx context.Context, round ddns.Round) []finding {
	all := tokenNeeds()
	findings := make([]finding, len(all))
	var trying sync.WaitGroup
	for i, n := range all {
		trying.Go(func() { findings[i] = p.checkNeed(ctx, n, round) })
	}
	trying.Wait()
	return findings
}

// checkNeed tries one permission in every zone. One that is missing hinders no
// name, so it is a note.
func (p *parts) checkNeed(ctx context.Context, n need, round ddns.Round) finding {
	f := finding{What: n.permission, State: string(ddns.Right), Why: "there, for " + n.commands}
	var missing []string
	for _, z := range round.Found.Zones {
		err := n.try(ctx, p, z.Zone)
		switch {
		case ddns.KindOf(err) == ddns.NotPermitted || ddns.KindOf(err) == ddns.TokenRefused:
			missing = append(missing, z.Zone.Name)
		case err != nil:
			return finding{What: n.permission, State: note, Why: err.Error(), Hint: ddns.HintOf(err)}
		}
	}
	switch {
	case len(round.Found.Zones) == 0:
		f.State, f.Why = note, whyNoZone(round)
	case len(missing) > 0:
		f.State, f.Why = note, fmt.Sprintf("missing for %s; names are kept without it, it is for %s", strings.Join(missing, ", "), n.commands)
	}
	return f
}

// tryRules rehearses a rule that nothing would ever match.
func tryRules(ctx context.Context, p *parts, zone ddns.Zone) error {
	set, err := p.client.Rules(ctx, zone)
	if err != nil {
		return err
	}
	_, err = p.client.CreateRule(ctx, zone, set, ddns.Rule{Ref: "cfddns-check", Description: "cfddns: check of the token", Action: "skip", Enabled: true,
		Products: []string{ddns.SkipLevel}, Expression: fmt.Sprintf("(http.host eq %q)", "cfddns-check."+zone.Name)}, true)
	if ddns.KindOf(err) == ddns.Rejected { // the rules are full, and the token may write them
		return nil
	}
	return err
}

func trySettings(ctx context.Context, p *parts, zone ddns.Zone) error {
	_, err := p.client.SecurityLevel(ctx, zone)
	return err
}

func tryEvents(ctx context.Context, p *parts, zone ddns.Zone) error {
	now := time.Now()
	_, err := p.client.SecurityEvents(ctx, zone, now.Add(-time.Minute), now, netip.Addr{})
	return err
}
