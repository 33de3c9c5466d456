package configs

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// domainName turns a name as a person writes it into the form in which it is
// compared and sent: complete, lower case, Punycode, no final dot. A wildcard
// may stand for the first label, and labels may begin with an underscore.
func domainName(shown string) (string, error) {
	name := strings.TrimSuffix(shown, ".")
	if err := notAName(shown, name); err != nil {
		return "", err
	}
	for label := range strings.SplitSeq(name, ".") {
		if strings.EqualFold(label, "xn--") {
			return "", wrongf("%q has a part that is %s alone, and no letters come after it; write the name as your "+
				"registrar shows it", shown, label)
		}
	}
	wildcard := ""
	if rest, found := strings.CutPrefix(name, "*."); found {
		wildcard, name = "*.", rest
	}
	// The mapping of UTS 46 without the restriction to host names, so that
	// underscores pass. Non-transitional, as browsers do: ß stays itself.
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false), idna.CheckHyphens(false))
	ascii, err := profile.ToASCII(name)
	if err != nil {
		return "", wrongf("%q is not an internationalised name: %v; write it as your registrar shows it", shown, err)
	}
	ascii = strings.ToLower(ascii)
	if err := badLabels(shown, ascii); err != nil {
		return "", err
	}
	if full := wildcard + ascii; len(full) <= 253 {
		return full, nil
	}
	return "", wrongf("the name has more than 253 letters, and DNS has room for no more; it begins with %q", shown[:40])
}

// notAName recognises what people write in place of a name.
func notAName(shown, name string) error {
	_, notAddress := netip.ParseAddr(name)
	switch {
	case !utf8.ValidString(shown):
		return wrongf("%q is not written in UTF-8; save the file in that encoding", shown)
	case name == "":
		return wrong("is empty; write a complete name, such as home.example.com")
	case name == "@":
		return wrong(`"@" is the zone itself in a zone file; write its name here, such as example.com`)
	case strings.Contains(name, "/"):
		return wrongf("%q is a URL or a path; write the host name alone, such as home.example.com", shown)
	case notAddress == nil:
		return wrongf("%q is an address; write the name that shall point at it, such as home.example.com", shown)
	case strings.Contains(name, ":"):
		return wrongf("%q has a port; write the host name alone, such as home.example.com", shown)
	case strings.Contains(name, "@"):
		return wrongf("%q is a mail address; write a host name, such as home.example.com", shown)
	case strings.ContainsAny(name, ", \t\r\n"):
		return wrongf("%q is more than one word; write one name for each entry", shown)
	}
	return nil
}

// badLabels says what is wrong with the parts of an ASCII name between the
// dots (RFC 1035, section 2.3.4; RFC 1123, section 2.1).
func badLabels(shown, ascii string) error {
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		switch {
		case label == "":
			return wrongf("%q has two dots with nothing between them, or one at an end; write it as home.example.com is written", shown)
		case len(label) > 63:
			return wrongf("%q has a part of %d letters between dots, and DNS has room for 63; shorten it", shown, len(label))
		case strings.Contains(label, "*"):
			return wrongf("%q has a * that is not its whole first part; write *.example.com", shown)
		case label[0] == '-' || label[len(label)-1] == '-':
			return wrongf("%q has a part that begins or ends with a hyphen; a name cannot", shown)
		}
		if i := strings.IndexFunc(label, notInName); i >= 0 {
			return wrongf("%q has the character %q; a name is made of letters, digits, hyphens and dots", shown, label[i:i+1])
		}
	}
	last := labels[len(labels)-1]
	if len(labels) < 2 {
		return wrongf("%q is not complete; write it with its zone, such as %s.example.com", shown, last)
	}
	if strings.Trim(last, "0123456789") == "" {
		return wrongf("%q ends with a number, so it is no name; write one such as home.example.com", shown)
	}
	return nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
