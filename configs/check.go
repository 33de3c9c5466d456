package configs

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// check adds what the values themselves show to be wrong.
func (l *loader) check(c Config) {
	l.checkCloudflare(c.Cloudflare)
	l.checkDefaults(c.Defaults)
	l.checkRecords(c.Records, c.Defaults)
	l.checkIP(c.IP)
	l.checkWAF(c.WAF)
	l.checkPush(c.Push)
	l.refuse("owner", badOwner(c.Owner))
	if c.Probe != 0 {
		l.refuse("probe", outside(c.Probe, 5*time.Second, 10*time.Minute))
	}
	l.refuse("verify", outside(c.Verify, 0, time.Minute))
	for i, server := range c.Resolver {
		l.refuse(index("resolver", i), badResolver(server))
	}
	l.refuse("tls_roots", badPath(c.TLSRoots, "/etc/cfddns/roots.pem"))
	l.refuse("state", badPath(c.State, "/var/lib/cfddns"))
	l.refuse("control", badSocket(c.Control))
	l.refuse("log.format", oneOf(c.Log.Format, "auto", "text", "json"))
	l.refuse("notify.command", badCommand(c.Notify.Command))
	l.refuse("notify.on_change", badCommand(c.Notify.OnChange))
	if !c.Notify.Ping.IsZero() && !webURL(c.Notify.Ping.Reveal()) {
		l.add("notify.ping", "is not a URL; write it whole, https://… (it is not shown, since it is as good as a password)")
	}
}

// refuse adds the text of a problem, if there is one.
func (l *loader) refuse(path, text string) {
	if text != "" {
		l.add(path, text)
	}
}

func (l *loader) checkCloudflare(c Cloudflare) {
	// The path is not shown: people write the token itself here.
	l.refuse("cloudflare.token_file", badPath(c.TokenFile, "/etc/cfddns/token"))
	l.refuse("cloudflare.recheck", outside(c.Recheck, time.Minute, 30*day))
	if c.Drill != 0 {
		l.refuse("cloudflare.drill", outside(c.Drill, time.Hour, 365*day))
	}
	l.refuse("cloudflare.api", badAPI(c.API))
	for i, server := range c.NameServers {
		l.refuse(index("cloudflare.nameservers", i), badHostPort(server, "192.0.2.1:53"))
	}
	if c.Edge != "" {
		l.refuse("cloudflare.edge", badHostPort(c.Edge, "192.0.2.1:443"))
	}
}

func (l *loader) checkIP(c IP) {
	l.refuse("ip.timeout", outside(c.Timeout, time.Second, 30*time.Second))
	if c.Quorum < 0 || c.Quorum > 100 {
		l.add("ip.quorum", fmt.Sprintf("%d is no number of operators; write auto or 1 to 100", c.Quorum))
	}
	l.refuse("ip.bind", badBind(c.Bind))
	l.refuse("ip.cgnat", oneOf(c.CGNAT, "hold", "publish"))
}

// checkDefaults holds what is said of all records against what can be.
func (l *loader) checkDefaults(d Defaults) {
	l.checkTypes("defaults.types", d.Types)
	if sorted := slices.Sorted(slices.Values(d.Types)); len(slices.Compact(sorted)) < len(d.Types) {
		l.add("defaults.types", "names one type twice; write [A], [AAAA] or both")
	}
	if !l.refused["defaults.proxied"] {
		l.refuse("defaults.ttl", badTTL(d.TTL, d.Proxied))
	}
}

func (l *loader) checkTypes(path string, types []string) {
	if len(types) == 0 {
		l.add(path, "names no type; write [A], [AAAA] or both")
	}
	for i, t := range types {
		if t != "A" && t != "AAAA" {
			l.add(index(path, i), fmt.Sprintf("%q is no type of address record; write A or AAAA", t))
		}
	}
}

// badTTL says what is wrong with a time to live, of a record so proxied.
func badTTL(ttl TTL, proxied ddns.Keep) string {
	switch {
	case ttl != 0 && ttl != 1 && (ttl < 30 || ttl > 86400):
		return fmt.Sprintf("%d seconds is outside of what Cloudflare takes; write keep, auto, or 60 to 86400 (30 on "+
			"Enterprise)", ttl)
	case ttl > 1 && proxied == ddns.SetTrue:
		// https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/
		return "a proxied record has no TTL of its own, Cloudflare sets it; write keep or auto"
	}
	return ""
}

func (l *loader) checkRecords(records []Record, defaults Defaults) {
	first := map[string]int{} // name and type to the entry that has it
	for i, r := range records {
		path := index("records", i)
		l.checkOptions(path, r, defaults)
		name, err := domainName(r.Name)
		if err != nil {
			l.add(path+".name", err.Error())
			continue
		}
		types := r.Types
		if _, own := l.tree.lines[path+".types"]; !own {
			types = slices.Compact(slices.Sorted(slices.Values(types))) // what is wrong with the defaults is told there
		}
		for _, t := range types {
			if t != "A" && t != "AAAA" {
				continue
			}
			key := name + " " + t
			if at, ok := first[key]; ok {
				l.add(path, l.twice(key, at))
				continue
			}
			first[key] = i
		}
	}
}

// twice is the problem of a record that stands in entry at as well.
func (l *loader) twice(key string, at int) string {
	where := index("records", at)
	if line := l.tree.lines[where]; line > 0 {
		where += fmt.Sprintf(" (line %d)", line)
	}
	return fmt.Sprintf("%s is listed already, in %s; remove one of the two", key, where)
}

func (l *loader) checkOptions(path string, r Record, defaults Defaults) {
	if _, own := l.tree.lines[path+".types"]; own {
		l.checkTypes(path+".types", r.Types)
	}
	if r.TTL != nil && !l.refused[path+".proxied"] { // a default one is for those that are not proxied
		l.refuse(path+".ttl", badTTL(*r.TTL, r.proxied(defaults)))
	}
	l.refuse(path+".on_cname", oneOf(r.OnCNAME, "refuse", "replace"))
	l.refuse(path+".extra", oneOf(r.Extra, "keep", "delete"))
	if r.Check != "auto" && r.Check != "off" && !webURL(r.Check) {
		l.add(path+".check", fmt.Sprintf("%q is no way to ask the edge; write auto, off, or a whole URL, https://home.example.com/health", r.Check))
	}
}

// oneOf says that a word is none of the choices.
func oneOf(word string, choices ...string) string {
	if slices.Contains(choices, word) {
		return ""
	}
	last := len(choices) - 1
	return fmt.Sprintf("%q is not a choice; write %s or %s", word, strings.Join(choices[:last], ", "), choices[last])
}

func outside(d, least, most time.Duration) string {
	if d >= least && d <= most {
		return ""
	}
	return fmt.Sprintf("%s is outside of what works; write %s to %s", short(d), short(least), short(most))
}

// short writes a duration the way the configuration does: 30d, not 720h0m0s.
func short(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// badOwner checks a word that becomes part of a comment. It begins with a
// letter, so that no reader of a configuration takes it for a number; "off"
// would make the mark "cfddns:off", which means hands off.
func badOwner(owner string) string {
	if owner == "" {
		return ""
	}
	if owner == "off" {
		return `"off" would mark the records as not to be touched; choose another name`
	}
	if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,31}$`).MatchString(owner) {
		return fmt.Sprintf("%q is not a name of ours; write a letter, then up to 31 letters, digits, dots, hyphens and underscores", owner)
	}
	return ""
}

// badPath refuses paths that depend on where the program was started.
func badPath(path, example string) string {
	switch {
	case path == "" || filepath.IsAbs(path):
		return ""
	case strings.HasPrefix(path, "~"):
		return "begins with ~, which only a shell understands; write the path from the root, such as " + example
	}
	return "is not a path from the root; write it whole, such as " + example
}

// badSocket wants what the kernel takes for the name of a socket (unix(7)).
func badSocket(path string) string {
	const example = "/run/cfddns/control.sock"
	if longest := len(syscall.RawSockaddrUnix{}.Path) - 1; len(path) > longest {
		return fmt.Sprintf("has %d bytes, and the name of a socket has room for %d; write a shorter one, such as %s",
			len(path), longest, example)
	}
	if strings.HasPrefix(path, "@") { // Linux writes an abstract name so
		return ""
	}
	return badPath(path, example)
}

// badCommand refuses a program in the current directory, whoever owns that.
func badCommand(command []string) string {
	switch {
	case len(command) == 0:
		return ""
	case command[0] == "":
		return "begins with an empty word; write the program first, [/usr/local/bin/tell-me, --all]"
	case strings.Contains(command[0], "/") && !filepath.IsAbs(command[0]):
		return "names a program by a path that depends on where cfddns was started; write it from the root"
	case len(command) == 1 && strings.Contains(command[0], " "):
		return "is one word with a space; write each word by itself, [/usr/local/bin/tell-me, --all], since no shell reads it"
	}
	return ""
}

// badBind accepts an address of this machine or the name of an interface,
// which Linux limits to 15 bytes.
func badBind(bind string) string {
	if bind == "" {
		return ""
	}
	if _, err := netip.ParseAddr(bind); err == nil {
		return ""
	}
	if len(bind) > 15 || strings.ContainsAny(bind, "/: \t\r\n") || bind == "." || bind == ".." {
		return fmt.Sprintf("%q is neither an interface nor an address; write one such as eth0 or 192.168.1.2", bind)
	}
	return ""
}

// badAPI wants TLS, since the token goes there. Loopback needs none.
func badAPI(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "is not the URL of an API; write https://api.cloudflare.com/client/v4, the default"
	case u.Scheme == "https" || (u.Scheme == "http" && loopback(u.Hostname())):
		return ""
	case u.Scheme == "http":
		return "would send the token in the clear; write https:// (http:// is for loopback only)"
	}
	return "is not the URL of an API; write https://api.cloudflare.com/client/v4, the default"
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && a.IsLoopback())
}

func webURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// badResolver says what is wrong with one entry of resolver.
func badResolver(text string) string {
	if !overHTTPS(text) {
		return badHostPort(text, "192.0.2.1:53")
	}
	if u, err := url.Parse(text); err != nil || u.Hostname() == "" || u.User != nil {
		return "is not the URL of a resolver; write https://dns.google/dns-query"
	}
	return ""
}

func badHostPort(text, example string) string {
	host, port, err := net.SplitHostPort(text)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	if err != nil || notNumber != nil || number == 0 || host == "" || strings.ContainsAny(host, "/@ ") {
		return fmt.Sprintf("%q is not HOST:PORT; write one such as %s", text, example)
	}
	return ""
}
