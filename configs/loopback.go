package configs

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// OnLoopback reports whether the API and every source are on this machine, as
// with cfddns sandbox: the home is then a played one, and neither this machine's
// own line nor its router has anything to say of it.
func (c Config) OnLoopback() bool {
	api, err := url.Parse(c.Cloudflare.API)
	elsewhere := func(s Source) bool { return !loopback(s.host()) }
	return err == nil && loopback(api.Hostname()) && len(c.IP.Sources) > 0 && !slices.ContainsFunc(c.IP.Sources, elsewhere)
}

// host is where a source of one's own is asked; "" for all others.
func (s Source) host() string {
	at := s.STUN
	switch {
	case s.HTTPS != "":
		u, err := url.Parse(s.HTTPS)
		if err != nil {
			return ""
		}
		return u.Hostname()
	case s.DNS != nil:
		at = s.DNS.Server
	}
	if host, _, err := net.SplitHostPort(at); err == nil {
		return host
	}
	return at
}

// overHTTPS reports whether an entry of resolver is asked over HTTPS.
func overHTTPS(server string) bool { return strings.HasPrefix(server, "https://") }

// PlainResolvers are those, HOST:PORT, that are asked instead of the system's.
func (c Config) PlainResolvers() []string {
	return slices.DeleteFunc(slices.Clone(c.Resolver), overHTTPS)
}

// HTTPSResolvers are those, by URL, that are asked instead of Cloudflare's and Google's.
func (c Config) HTTPSResolvers() []string {
	return slices.DeleteFunc(slices.Clone(c.Resolver), func(server string) bool { return !overHTTPS(server) })
}
