package sandbox

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// defaultRosters are whom the written configuration asks: those of the default,
// by the end of the names that their echoes have in the family.
var defaultRosters = []struct {
	suffix    string
	operators []string
}{
	{"", []string{"cloudflare", "amazon", "google", "akamai", "identme"}},
	{"-ipv6", []string{"cloudflare", "google", "amazon", "identme", "desec"}},
}

// Configuration is a cfddns configuration that uses this sandbox. It names
// addresses where an ordinary one names hosts, and is the same otherwise.
func (info Info) Configuration() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# written by cfddns sandbox; good while it runs\ncloudflare:\n  token: %q\n  api: %q\n"+
		"  nameservers: [%q]\n  edge: %q\ntls_roots: %q\nresolver: [%q, %q, %q]\n",
		info.Token, info.API, info.DNS, hostPort(info.Edge), info.CA, info.Resolver, info.doh("cloudflare-doh"),
		info.doh("google-doh"))
	b.WriteString("records:\n")
	for _, z := range info.Zones {
		fmt.Fprintf(&b, "  - name: home.%s\n", z.Name)
	}
	b.WriteString("ip:\n  sources:\n")
	for _, e := range info.roster() {
		switch e.Kind {
		case "stun":
			fmt.Fprintf(&b, "    - {stun: %q, operator: %s}\n", e.Address, e.Operator)
		default:
			fmt.Fprintf(&b, "    - {https: %q, operator: %s}\n", e.Address, e.Operator)
		}
	}
	return []byte(b.String())
}

// roster is one echo of each operator of the default rosters, for each family
// that the home has.
func (info Info) roster() (sources []EchoInfo) {
	for _, roster := range defaultRosters {
		for _, operator := range roster.operators {
			i := slices.IndexFunc(info.Echoes, func(e EchoInfo) bool {
				return e.Operator == operator && e.Name == operator+roster.suffix && e.Kind != "dns"
			})
			if i >= 0 {
				sources = append(sources, info.Echoes[i])
			}
		}
	}
	return sources
}

// doh is where one of the resolvers is asked over HTTPS.
func (info Info) doh(name string) string {
	i := slices.IndexFunc(info.Echoes, func(e EchoInfo) bool { return strings.TrimSuffix(e.Name, "-ipv6") == name })
	if i < 0 {
		return ""
	}
	return info.Echoes[i].Address + "dns-query"
}

// hostPort is the HOST:PORT of a URL.
func hostPort(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return u.Host
}
