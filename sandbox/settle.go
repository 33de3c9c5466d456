package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// recordTypes are the types that a zone may hold.
func recordTypes() []string {
	return []string{"A", "AAAA", "CAA", "CERT", "CNAME", "DNSKEY", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS",
		"OPENPGPKEY", "PTR", "SMIMEA", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI"}
}

// settle brings what a client wrote into the form in which Cloudflare keeps
// it, or says what is wrong with it.
func (r *record) settle(zone string) error {
	if !slices.Contains(recordTypes(), r.Type) {
		return errType()
	}
	name, err := completeName(r.Name, zone)
	if err != nil {
		return err
	}
	r.Name = name
	if err := r.settleContent(zone); err != nil {
		return err
	}
	if !r.Proxied {
		return nil
	}
	switch {
	case !slices.Contains([]string{"A", "AAAA", "CNAME"}, r.Type):
		return invalid(9004, "This record type cannot be proxied.")
	case !r.proxiable():
		return invalid(9003, "Target %s is not allowed for a proxied record.", r.Content)
	}
	r.TTL = 1 // whatever was asked: a proxied name's answers are the edge's
	return nil
}

func (r *record) settleContent(zone string) error {
	r.Content = strings.TrimSpace(r.Content)
	switch r.Type {
	case "A":
		addr, err := netip.ParseAddr(r.Content)
		if err != nil || !addr.Is4() {
			return invalid(9005, "Content for A record must be a valid IPv4 address.")
		}
		r.Content = addr.String()
	case "AAAA":
		addr, err := netip.ParseAddr(r.Content)
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return invalid(9006, "Content for AAAA record must be a valid IPv6 address.")
		}
		r.Content = addr.String()
	case "CNAME", "NS":
		return r.settleTarget(zone)
	case "CAA":
		return r.settleCAA()
	default:
		if r.Content == "" {
			r.Content = contentOf(r.Data)
		}
		if r.Content == "" {
			return invalid(9007, "Content for %s record is invalid.", r.Type)
		}
	}
	return nil
}

// settleTarget settles a content that is a host name.
func (r *record) settleTarget(zone string) error {
	if r.Content == "@" {
		r.Content = zone
	}
	target := foldName(strings.TrimSuffix(r.Content, "."))
	_, notAnAddress := netip.ParseAddr(target)
	if !validName(target) || !strings.Contains(target, ".") || notAnAddress == nil {
		return invalid(9007, "Content for %s record is invalid.", r.Type)
	}
	if r.Type == "CNAME" && target == r.Name {
		return invalid(9039, "CNAME content cannot reference itself.")
	}
	r.Content = target
	return nil
}

// settleCAA puts the value of a CAA record into quotes, as Cloudflare shows it:
// 0 issue "letsencrypt.org".
func (r *record) settleCAA() error {
	if r.Content == "" {
		var data struct {
			Flags uint8  `json:"flags"`
			Tag   string `json:"tag"`
			Value string `json:"value"`
		}
		if json.Unmarshal(r.Data, &data) == nil {
			r.Content = fmt.Sprintf("%d %s %s", data.Flags, data.Tag, data.Value)
		}
	}
	flags, rest, _ := strings.Cut(r.Content, " ")
	tag, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
	value = strings.Trim(strings.TrimSpace(value), `"`)
	if _, err := strconv.ParseUint(flags, 10, 8); err != nil || tag == "" || value == "" {
		return invalid(9007, "Content for CAA record is invalid.")
	}
	r.Content = fmt.Sprintf(`%s %s "%s"`, flags, tag, value)
	return nil
}

// contentOf writes the parts of a record (SRV, TLSA, …) in one line.
func contentOf(data json.RawMessage) string {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var words []string
	for key := false; ; key = !key {
		token, err := decoder.Token()
		if err != nil {
			return strings.Join(words, " ")
		}
		switch word := token.(type) {
		case string:
			if !key {
				words = append(words, word)
			}
		case json.Number:
			words = append(words, word.String())
		}
	}
}

// proxiable tells whether the edge could stand in front of a record: it must
// be an address that is reachable from outside, or a name.
func (r *record) proxiable() bool {
	switch r.Type {
	case "CNAME":
		return true
	case "A", "AAAA":
		addr, err := netip.ParseAddr(r.Content)
		if err != nil || addr.IsUnspecified() || addr.IsLoopback() || addr.IsMulticast() || addr.IsLinkLocalUnicast() {
			return false
		}
		return r.Private || !addr.IsPrivate()
	}
	return false
}

// completeName returns a record's whole name, in the form that DNS compares:
// "@", "www" and "www.example.com." are all ways to write a name of example.com.
func completeName(name, zone string) (string, error) {
	name = foldName(strings.TrimSuffix(strings.TrimSpace(name), "."))
	switch {
	case name == "":
		return "", errName()
	case name == "@" || name == zone:
		return zone, nil
	case !strings.HasSuffix(name, "."+zone):
		name += "." + zone
	}
	if !validName(name) {
		return "", errName()
	}
	return name, nil
}

// foldName returns a name in lower case and in Punycode (RFC 5891); a name that
// cannot be is only put in lower case.
func foldName(name string) string {
	if !strings.ContainsFunc(name, func(c rune) bool { return c > unicode.MaxASCII }) {
		return strings.ToLower(name)
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))
	if ascii, err := profile.ToASCII(name); err == nil {
		return ascii
	}
	return strings.ToLower(name)
}

// validName tells whether a name can stand in a zone: labels of 1 to 63
// letters, digits, hyphens and underscores, 253 in all, and an asterisk as the
// first label.
func validName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for i, label := range strings.Split(name, ".") {
		if label == "*" && i == 0 {
			continue
		}
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

func notInLabel(c rune) bool {
	letter, digit := c >= 'a' && c <= 'z', c >= '0' && c <= '9'
	return !letter && !digit && c != '-' && c != '_'
}

// same tells whether an edit changed nothing.
func (r *record) same(o *record) bool {
	return r.Name == o.Name && r.Content == o.Content && r.TTL == o.TTL && r.Proxied == o.Proxied &&
		r.Comment == o.Comment && slices.Equal(r.Tags, o.Tags) && r.Private == o.Private &&
		bytes.Equal(r.Settings, o.Settings) && bytes.Equal(r.Data, o.Data) && samePriority(r.Priority, o.Priority)
}

func samePriority(a, b *int) bool {
	return a == b || a != nil && b != nil && *a == *b
}
