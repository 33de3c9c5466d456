package sandbox

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// identifier is the form of every ID of the API.
var identifier = regexp.MustCompile(`^[0-9a-f]{32}$`)

// zoneView is a zone as the API shows it.
type zoneView struct {
	ID                  string      `json:"id"`
	Name                string      `json:"name"`
	Status              string      `json:"status"`
	Paused              bool        `json:"paused"`
	Type                string      `json:"type"`
	DevelopmentMode     int         `json:"development_mode"`
	NameServers         []string    `json:"name_servers"`
	OriginalNameServers []string    `json:"original_name_servers"`
	OriginalRegistrar   *string     `json:"original_registrar"`
	OriginalDNSHost     *string     `json:"original_dnshost"`
	ModifiedOn          string      `json:"modified_on"`
	CreatedOn           string      `json:"created_on"`
	ActivatedOn         string      `json:"activated_on"`
	Meta                zoneMeta    `json:"meta"`
	Owner               party       `json:"owner"`
	Account             accountName `json:"account"`
	Permissions         []string    `json:"permissions"`
	Plan                zonePlan    `json:"plan"`
}

type zoneMeta struct {
	Step                   int  `json:"step"`
	CustomCertificateQuota int  `json:"custom_certificate_quota"`
	PageRuleQuota          int  `json:"page_rule_quota"`
	PhishingDetected       bool `json:"phishing_detected"`
}

type party struct {
	ID   *string `json:"id,omitempty"`
	Type string  `json:"type"`
}

type accountName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type zonePlan struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	LegacyID string `json:"legacy_id"`
}

const accountTitle = "Sandbox account"

// showTime writes a time as the API does, to the microsecond.
func showTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func (s *Sandbox) showZone(z *zone, t token) zoneView {
	p, _ := planNamed(z.Plan)
	created := showTime(z.Created)
	return zoneView{
		ID: z.ID, Name: z.Name, Status: z.Status, Paused: z.Paused, Type: z.Type,
		NameServers: z.NameServers, ModifiedOn: created, CreatedOn: created, ActivatedOn: created,
		Meta: zoneMeta{Step: 2, PageRuleQuota: 3}, Owner: party{Type: "user"},
		Account:     accountName{ID: s.account, Name: accountTitle},
		Permissions: t.shown(),
		Plan:        zonePlan{ID: idOf("plan " + p.title), Name: p.title, LegacyID: cmp.Or(z.Plan, "free")},
	}
}

// shown are the permissions of a token as a zone shows them.
func (t token) shown() []string {
	names := strings.NewReplacer("dns:", "dns_records:", "settings:", "zone_settings:")
	list := []string{}
	for _, permission := range tokenPermissions() {
		about, does, _ := strings.Cut(permission, ":")
		implied := does == "read" && slices.Contains(t.may, about+":edit")
		granted := t.may == nil || implied || slices.Contains(t.may, permission)
		if granted && (does == "read" || !t.readOnly) {
			list = append(list, "#"+names.Replace(permission))
		}
	}
	return list
}

// listZones answers GET /zones.
func (s *Sandbox) listZones(c *call) answer {
	query := c.URL.Query()
	p, err := readPaging(query, pageLimits{usual: 20, least: 5, most: 50, clamp: true})
	if err != nil {
		return failed(err)
	}
	views := s.zoneViews(c.token)
	views = slices.DeleteFunc(views, func(z zoneView) bool {
		return !matchesWord(z.Name, query.Get("name"), foldName) ||
			!matchesWord(z.Account.Name, query.Get("account.name"), strings.ToLower) ||
			!isOneOf(z.Status, given(query, "status")) || !isOneOf(z.Account.ID, given(query, "account.id"))
	})
	sortZones(views, query.Get("order"), query.Get("direction"))
	page, info := cut(views, p)
	return answer{result: page, info: info}
}

func (s *Sandbox) zoneViews(t token) []zoneView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := []zoneView{}
	for _, z := range s.zones {
		if t.allowsZone(z.Name) {
			views = append(views, s.showZone(z, t))
		}
	}
	return views
}

func isOneOf(value string, wanted []string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}

// matchesWord judges a zone filter, which is a word, or an operator and a word:
// "contains:example".
func matchesWord(value, want string, fold func(string) string) bool {
	if want == "" {
		return true
	}
	operator, word, ok := strings.Cut(want, ":")
	if !ok {
		operator, word = "equal", want
	}
	if bare, exact := strings.CutSuffix(operator, "_case_sensitive"); exact {
		operator = bare
	} else {
		value, word = fold(value), fold(word)
	}
	switch operator {
	case "equal":
		return value == word
	case "not_equal":
		return value != word
	case "starts_with":
		return strings.HasPrefix(value, word)
	case "ends_with":
		return strings.HasSuffix(value, word)
	case "contains":
		return strings.Contains(value, word)
	}
	return false
}

func sortZones(views []zoneView, order, direction string) {
	key := func(z zoneView) string {
		switch order {
		case "status":
			return z.Status
		case "plan.id":
			return z.Plan.ID
		case "account.id", "account.name":
			return z.Account.Name
		}
		return z.Name
	}
	slices.SortStableFunc(views, func(a, b zoneView) int { return cmp.Compare(key(a), key(b)) })
	if direction == "desc" {
		slices.Reverse(views)
	}
}

// zone finds the zone of a call. Cloudflare does not tell a zone that is not
// there from one that the token may not see.
func (s *Sandbox) zone(c *call) (*zone, error) {
	id := c.PathValue("zone")
	if !identifier.MatchString(id) {
		return nil, s.noRoute(c).refusal
	}
	for _, z := range s.zones {
		if z.ID == id && c.token.allowsZone(z.Name) {
			return z, nil
		}
	}
	if strings.Contains(c.URL.Path, "/dns_records") {
		return nil, refuse(http.StatusForbidden, 10000, "Authentication error")
	}
	return nil, refuse(http.StatusForbidden, 9109, "Unauthorized to access requested resource")
}

func (s *Sandbox) getZone(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.zone(c)
	if err != nil {
		return failed(err)
	}
	return answer{result: s.showZone(z, c.token)}
}
