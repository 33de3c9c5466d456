package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// othersRead is the permission of everybody to read a file.
const othersRead fs.FileMode = 0o004

// maxToken is the size of the largest file that is read for a token, which
// has about 60 letters.
const maxToken = 4096

// ErrNoToken is the error of Token when no place holds one.
var ErrNoToken = errors.New("there is no API token; make one with the permissions Zone Read and DNS Edit at https://dash.cloudflare.com/profile/api-tokens, and put it into CLOUDFLARE_API_TOKEN or into the file that cloudflare.token_file names")

// place is where a token may come from.
type place struct {
	name string // as shown to people
	file bool   // whether value is the path of a file that holds it
	// value is the token or the path; "" if the place is not used.
	value string
}

// Token returns the API token and where it came from. It looks, in this
// order, at CLOUDFLARE_API_TOKEN, CLOUDFLARE_API_TOKEN_FILE, the credential
// cloudflare-token of systemd, cloudflare.token_file and cloudflare.token.
// The first place that is used decides, even if what it holds is of no use: a
// program that then took another would surprise. Two places that hold
// different tokens are a warning.
func Token(c Config, env []string) (ddns.Secret, string, []Warning, error) {
	var (
		token    ddns.Secret
		source   string
		warnings []Warning
	)
	vars := environment(env)
	handed := credential(vars, SiteOf(env))
	for _, p := range places(c, handed, vars) {
		found, warning, err := p.read()
		switch {
		case token.IsZero() && err != nil:
			return ddns.Secret{}, p.name, nil, handed.explain(fmt.Errorf("%s: %w", p.name, err), p.path())
		case token.IsZero():
			token, source = found, p.name
			if p.value == handed.path {
				warnings = append(warnings, handed.outdated(unitTokens())...)
			}
			if warning != "" {
				warnings = append(warnings, warning)
			}
		case err == nil && found != token:
			warnings = append(warnings, Warning(fmt.Sprintf("%s holds another token (%s) than %s (%s), which is used; remove one of the two",
				p.name, Fingerprint(found), source, Fingerprint(token))))
		}
	}
	unread := unreadVariables(vars)
	if token.IsZero() && len(unread) > 0 {
		return ddns.Secret{}, "", nil, handed.explain(fmt.Errorf("%w. %s", ErrNoToken, strings.Join(unread, ". ")), "")
	}
	if token.IsZero() {
		return ddns.Secret{}, "", nil, handed.explain(ErrNoToken, "")
	}
	for _, text := range unread {
		warnings = append(warnings, Warning(text+"; what is used is "+source))
	}
	return token, source, warnings, nil
}

// Fingerprint names a token without telling it: the first 8 hexadecimal
// digits of its SHA-256.
func Fingerprint(token ddns.Secret) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:4])
}

// places returns those that are used.
func places(c Config, handed handedOver, vars map[string]string) []place {
	all := []place{
		{name: "CLOUDFLARE_API_TOKEN", value: vars["CLOUDFLARE_API_TOKEN"]},
		{name: "CLOUDFLARE_API_TOKEN_FILE", file: true, value: vars["CLOUDFLARE_API_TOKEN_FILE"]},
	}
	if !handed.blank {
		all = append(all, place{name: "the credential " + tokenCredential, file: true, value: handed.path})
	}
	all = append(all,
		place{name: keyOrVariable("cloudflare.token_file", vars), file: true, value: c.Cloudflare.TokenFile},
		place{name: keyOrVariable("cloudflare.token", vars), value: c.Cloudflare.Token.Reveal()})
	used := all[:0]
	for _, p := range all {
		if p.value != "" {
			used = append(used, p)
		}
	}
	return used
}

// keyOrVariable names what set a key, so that a person knows where to mend it.
func keyOrVariable(path string, vars map[string]string) string {
	if name := variable(path); vars[name] != "" {
		return name
	}
	return path
}

// path is the file of a place, "" if it is none.
func (p place) path() string {
	if !p.file {
		return ""
	}
	return p.value
}

// read returns the token of a place. No error holds a value: a person may
// have put the token where a path belongs.
func (p place) read() (ddns.Secret, Warning, error) {
	text := p.value
	var warning Warning
	if p.file {
		content, mode, err := readToken(p.value)
		if err != nil {
			return ddns.Secret{}, "", err
		}
		text = content
		warning = readByAll(p.name, p.value, mode)
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")) // some editors begin a file with a byte order mark
	if problem := notToken(text); problem != "" {
		return ddns.Secret{}, "", errors.New(problem)
	}
	return ddns.NewSecret(text), warning, nil
}

// readByAll is the warning that a file with a secret is open to everybody, or "".
// Docker and Kubernetes show secrets to everybody in the container, who is one
// user, and mount them so that nobody there could change the mode.
func readByAll(name, path string, mode fs.FileMode) Warning {
	if mode.Perm()&othersRead == 0 || strings.HasPrefix(path, "/run/secrets/") || mountedReadOnly(path, "/") {
		return ""
	}
	return Warning(fmt.Sprintf("%s: %s can be read by every user of this machine; %s", name, path,
		ddns.CommandLine("chmod", "600", path)))
}

func readToken(path string) (string, fs.FileMode, error) {
	if !filepath.IsAbs(path) {
		return "", 0, errors.New("is not a path from the root; name the file that holds the token (the token itself belongs in CLOUDFLARE_API_TOKEN)")
	}
	file, err := readUpTo(path, maxToken, readPatience)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", 0, fmt.Errorf("%s: user %d may not read it; use sudo, or chown %[2]d the file, or its copy on the host if this is a container", path, os.Getuid())
	case errors.Is(err, errDirectory):
		return "", 0, fmt.Errorf("%s %w", path, err)
	case err != nil:
		return "", 0, fmt.Errorf("%s: %w", path, unreadable(err))
	case len(file.data) > maxToken:
		return "", 0, fmt.Errorf("%s is larger than %d bytes, and one line belongs there", path, maxToken)
	}
	return string(file.data), file.mode, nil
}

// notToken says why a word cannot be an API token, or "". It does not know
// what tokens look like, since that changes, but what people write instead.
func notToken(text string) string {
	lower := strings.ToLower(text)
	switch {
	case text == "":
		return "is empty; put the API token there, alone on one line"
	case strings.Contains(text, "\x00"):
		return "is no plain text (UTF-16?); save the file as UTF-8"
	case strings.ContainsAny(text, "\r\n"):
		return "has more than one line; leave the token alone on one line"
	case strings.ContainsAny(text[:1]+text[len(text)-1:], `"'`):
		return "has quotes around it; remove them"
	case strings.HasPrefix(lower, "bearer ") || strings.HasPrefix(lower, "authorization:"):
		return `begins with a word of an HTTP header; leave the token alone, without "Bearer"`
	case strings.Contains(text[:len(text)-1], "="):
		return "has a = in it, and no token has; leave out what stands before it, such as CLOUDFLARE_API_TOKEN="
	case sample(lower):
		return "holds the sample of a manual; put the real API token there"
	case strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		return "has a space or a letter that no token has; copy the token again"
	case regexp.MustCompile(`^[0-9a-f]{37}$`).MatchString(text):
		return "looks like the Global API Key, which may do everything; make an API token instead, with Zone Read and DNS Edit"
	}
	return ""
}

// sample reports whether a word in lower case is one that manuals print in
// place of a token.
func sample(lower string) bool {
	if strings.ContainsAny(lower, "<>") || strings.Contains(lower, "...") || strings.Contains(lower, "xxxxx") {
		return true
	}
	letters := strings.NewReplacer("-", "", "_", "", " ", "").Replace(lower)
	switch letters {
	case "changeme", "apitoken", "todo":
		return true
	}
	return strings.HasPrefix(letters, "your") && (strings.HasSuffix(letters, "token") || strings.HasSuffix(letters, "key"))
}
