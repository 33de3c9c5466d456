package cfclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// zonesPerPage is the largest page Cloudflare gives of zones.
const zonesPerPage = 50

// Zones implements ddns.API. A domain may wait in one account while it works
// in another: of two zones of one name the active one comes first.
func (c *Client) Zones(ctx context.Context) ([]ddns.Zone, error) {
	q := question{op: "list the zones", needs: needsZoneRead, long: true}
	wire, err := askPages[wireZone](ctx, c, q, longestList, func(page int) sender {
		return call{method: http.MethodGet, path: fmt.Sprintf("/zones?page=%d&per_page=%d", page, zonesPerPage)}.by(c)
	})
	if err != nil {
		return nil, err
	}
	found := make([]ddns.Zone, len(wire))
	for i, w := range wire {
		if w.Name == "" {
			return nil, untrusted(q, errors.New("the answer holds a zone without a name"))
		}
		found[i] = w.zone()
	}
	slices.SortStableFunc(found, func(a, b ddns.Zone) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(activeFirst(a), activeFirst(b)))
	})
	return found, nil
}

func activeFirst(z ddns.Zone) int {
	if z.Status == "active" {
		return 0
	}
	return 1
}

// wireZone is a zone as the API spells it.
type wireZone struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Status      string       `json:"status"`
	Paused      bool         `json:"paused"`
	Type        string       `json:"type"`
	NameServers page[string] `json:"name_servers"`
	Account     struct {
		ID string `json:"id"`
	} `json:"account"`
	Plan struct {
		LegacyID string `json:"legacy_id"`
	} `json:"plan"`
}

func (w wireZone) key() string { return w.ID }

func (w wireZone) zone() ddns.Zone {
	return ddns.Zone{
		ID:          w.ID,
		Name:        strings.ToLower(w.Name),
		Status:      w.Status,
		Paused:      w.Paused,
		Type:        w.Type,
		Plan:        w.Plan.LegacyID,
		AccountID:   w.Account.ID,
		NameServers: w.NameServers,
	}
}
