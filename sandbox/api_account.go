package sandbox

import (
	"net/http"
	"slices"
)

// listAccounts answers GET /accounts.
func (s *Sandbox) listAccounts(c *call) answer {
	if c.token.ofAccount() {
		return failed(refuse(http.StatusForbidden, 1001, "List accounts endpoint does not support account owned tokens."))
	}
	p, err := readPaging(c.URL.Query(), pageLimits{usual: 20, least: 5, most: 50, clamp: true})
	if err != nil {
		return failed(err)
	}
	accounts := []map[string]any{{
		"id": s.account, "name": accountTitle, "type": "standard", "created_on": showTime(s.started),
	}}
	page, info := cut(accounts, p)
	return answer{result: page, info: info}
}

// getUser answers GET /user.
func (s *Sandbox) getUser(c *call) answer {
	if c.token.ofAccount() {
		return failed(refuse(http.StatusForbidden, 9109, "Valid user-level authentication not found"))
	}
	return answer{result: map[string]any{
		"id": idOf("user"), "email": "user@example.com", "username": "sandbox", "first_name": nil, "last_name": nil,
		"telephone": nil, "country": nil, "zipcode": nil, "two_factor_authentication_enabled": false, "suspended": false,
		"created_on": showTime(s.started), "modified_on": showTime(s.started),
	}}
}

// getIPs answers GET /ips, which needs no token.
// https://www.cloudflare.com/ips/
func (s *Sandbox) getIPs(*call) answer {
	return answer{result: map[string]any{
		"etag": "38f79d050aa027e3be3865e495dcc9bc",
		"ipv4_cidrs": []string{"173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22",
			"141.101.64.0/18", "108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22",
			"198.41.128.0/17", "162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22"},
		"ipv6_cidrs": []string{"2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32",
			"2405:8100::/32", "2a06:98c0::/29", "2c0f:f248::/32"},
	}}
}

const underAttack = "under_attack"

// settingView is a zone setting as the API shows it.
type settingView struct {
	ID         string  `json:"id"`
	Value      string  `json:"value"`
	Editable   bool    `json:"editable"`
	ModifiedOn *string `json:"modified_on"`
}

// setting finds what a call on a setting is about: the zone must be there, and
// the setting be the one that there is here. The caller holds s.mu.
func (s *Sandbox) setting(c *call) error {
	if _, err := s.zone(c); err != nil {
		return err
	}
	if name := c.PathValue("setting"); name != "security_level" {
		return invalid(1003, "Undefined zone setting: %s", name)
	}
	return nil
}

// listNone answers with the rules of a zone, which has none here. Clients ask
// for them before they look at records, and stop at an error.
func (s *Sandbox) listNone(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.zone(c); err != nil {
		return failed(err)
	}
	return answer{result: []any{}}
}

func (s *Sandbox) getSetting(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.setting(c); err != nil {
		return failed(err)
	}
	return answer{result: s.showSecurityLevel()}
}

// showSecurityLevel shows the one setting; the caller holds s.mu. In this world
// all zones are under attack, or none.
func (s *Sandbox) showSecurityLevel() settingView {
	view := settingView{ID: "security_level", Value: s.securityLevel, Editable: true}
	if s.underAttack {
		view.Value = underAttack
	}
	if !s.securitySet.IsZero() {
		at := showTime(s.securitySet)
		view.ModifiedOn = &at
	}
	return view
}

func (s *Sandbox) patchSetting(c *call) answer {
	var body struct {
		Value string `json:"value"`
	}
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.setting(c); err != nil {
		return failed(err)
	}
	levels := []string{"off", "essentially_off", "low", "medium", "high", underAttack}
	if !slices.Contains(levels, body.Value) {
		return failed(invalid(1007, "Invalid value for zone setting security_level"))
	}
	s.underAttack = body.Value == underAttack
	if !s.underAttack {
		s.securityLevel = body.Value
	}
	s.securitySet = c.now
	return answer{result: s.showSecurityLevel()}
}
