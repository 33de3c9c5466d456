package cfclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

const needsSettings = "Zone > Zone Settings > Edit"

// UnderAttack is the security level that challenges every visitor. A program
// never gets past it.
// https://developers.cloudflare.com/fundamentals/reference/under-attack-mode/
const UnderAttack = "under_attack"

// SecurityLevels are the values Cloudflare takes.
func SecurityLevels() []string {
	return []string{"off", "essentially_off", "low", "medium", "high", UnderAttack}
}

// SecurityLevel asks for the security level of a whole zone. Configuration
// Rules can set another for some paths, and IP Access Rules can challenge some
// visitors, whatever it says.
func (c *Client) SecurityLevel(ctx context.Context, zone ddns.Zone) (string, error) {
	q := question{op: "read the security level of " + zone.Name, needs: needsSettings, least: "Read", ids: []string{zone.ID}}
	return c.askLevel(ctx, q, call{method: http.MethodGet, path: levelPath(zone)})
}

// SetSecurityLevel sets it, and returns once the answer shows it set.
func (c *Client) SetSecurityLevel(ctx context.Context, zone ddns.Zone, level string) error {
	q := question{op: fmt.Sprintf("set the security level of %s to %s", zone.Name, level), needs: needsSettings, ids: []string{zone.ID}, write: true}
	if !slices.Contains(SecurityLevels(), level) {
		return &ddns.Error{Kind: ddns.Rejected, Op: q.op, Err: fmt.Errorf("not sent: it is one of %s", strings.Join(SecurityLevels(), ", "))}
	}
	is, err := c.askLevel(ctx, q, call{method: http.MethodPatch, path: levelPath(zone), body: map[string]string{"value": level}})
	if err == nil && is != level {
		return untrusted(q, fmt.Errorf("the answer says %s", printable(is)))
	}
	return err
}

func levelPath(zone ddns.Zone) string { return "/zones/" + zone.ID + "/settings/security_level" }

func (c *Client) askLevel(ctx context.Context, q question, what call) (string, error) {
	answer, err := askPlain[struct {
		Value string `json:"value"`
	}](ctx, c, q, what)
	switch {
	case err != nil:
		return "", err
	case answer.Result.Value == "":
		return "", untrusted(q, errors.New("the answer names no level"))
	}
	return answer.Result.Value, nil
}
