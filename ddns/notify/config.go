package notify

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// Config says who is told. What is empty is not told.
type Config struct {
	Command  []string    // a program and its arguments
	OnChange []string    // the same
	Ping     ddns.Secret // a URL; whoever knows it can check in for us
	Version  string      // of this program, for the User-Agent
}

// Validate says what is wrong with the configuration, all of it at once. No
// text holds the URL: it is as good as a password.
func (c Config) Validate() error {
	return errors.Join(validCommand("notify.command", c.Command), validCommand("notify.on_change", c.OnChange), c.validPing())
}

func validCommand(key string, args []string) error {
	if len(args) > 0 && args[0] == "" {
		return errors.New(key + ": begins with an empty word; write the program first, [/usr/local/bin/tell-me, --all]")
	}
	return nil
}

func (c Config) validPing() error {
	if c.Ping.IsZero() {
		return nil
	}
	u, err := url.Parse(c.Ping.Reveal())
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("notify.ping: is not a URL; write it whole, https://… (it is not shown, since it is as good as a password)")
	case u.Scheme == "http" && !atHome(u.Hostname()):
		return errors.New("notify.ping: sends a URL that is as good as a password in the clear; write https://, or the name or address of a machine at home")
	}
	return nil
}

// homeSuffixes are the ends of names that the internet does not resolve, in
// order: RFC 6761, RFC 6762, RFC 8375, ICANN's reserved name for private use,
// and one that many routers use.
var homeSuffixes = []string{".localhost", ".local", ".home.arpa", ".internal", ".lan"}

// atHome reports whether a host is this machine or one in the home's own
// network, so that plain HTTP leaves the home to nobody.
func atHome(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap()
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, suffix := range homeSuffixes {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return !strings.Contains(host, ".")
}
