package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// Push is where routers may tell that their address changed. One of Password
// and PasswordFile is set at most; Secret refuses what listens with neither.
type Push struct {
	Listen       string      `mapstructure:"listen"` // ADDRESS:PORT of this machine; "" is nowhere
	User         string      `mapstructure:"user"`
	Password     ddns.Secret `mapstructure:"password"` // see Secret, which looks in both places
	PasswordFile string      `mapstructure:"password_file"`
}

// shortestPassword is in bytes. Whoever guesses is slowed down, but has all year.
const shortestPassword = 8

// pushCredential takes the password that systemd keeps for the service, if no
// key says another.
func pushCredential(p *Push, vars map[string]string) {
	dir := vars["CREDENTIALS_DIRECTORY"]
	if dir == "" || p.PasswordFile != "" || !p.Password.IsZero() {
		return
	}
	path := filepath.Join(dir, "push-password")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		p.PasswordFile = path
	}
}

func (l *loader) checkPush(p Push) {
	l.refuse("push.listen", badListen(p.Listen))
	l.refuse("push.password_file", badPath(p.PasswordFile, "/etc/cfddns/push-password"))
	switch {
	case p.User == "":
		l.add("push.user", "is empty; write the name that the router logs in with, such as cfddns")
	case strings.ContainsFunc(p.User, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }):
		l.add("push.user", fmt.Sprintf("%q has a colon or a control character, which no login can send (RFC 7617); choose another", p.User))
	}
	switch {
	case !p.Password.IsZero() && p.PasswordFile != "":
		l.add("push.password", "stands here and in password_file as well; remove one of the two")
	case !p.Password.IsZero():
		l.refuse("push.password", badPassword(p.Password.Reveal()))
	}
}

// badListen wants an address, not a name: what a name stands for changes, and
// with it who can reach us. Without a host Go would listen everywhere.
func badListen(text string) string {
	if text == "" {
		return ""
	}
	if port, found := strings.CutPrefix(text, ":"); found {
		return fmt.Sprintf("%q would listen on every address of this machine without saying so; write the one that the router reaches, such as 192.168.1.2:%s, or 0.0.0.0:%s if every one is meant", text, port, port)
	}
	if at, err := netip.ParseAddrPort(text); err == nil && at.Port() != 0 {
		return ""
	}
	return fmt.Sprintf("%q is not ADDRESS:PORT; write an address of this machine, such as 192.168.1.2:8245", text)
}

func badPassword(text string) string {
	switch {
	case len(text) < shortestPassword:
		return fmt.Sprintf("is too short; write %d letters or more (it is not shown)", shortestPassword)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has more than one line, or a control character; leave the password alone on one line"
	}
	return ""
}

// Secret returns the password, and a warning if others may read it. A file is
// read anew each time, so that a reload finds a new one. That there is none is
// an error here and not of the configuration: the credential is the service's
// alone, and other commands read the same file.
func (p Push) Secret() (ddns.Secret, Warning, error) {
	if p.PasswordFile == "" && p.Password.IsZero() {
		return ddns.Secret{}, "", fmt.Errorf("push: listens, and has no password; write one of %d letters or more into push.password, or into the file that push.password_file names, or give the service the credential push-password", shortestPassword)
	}
	if p.PasswordFile == "" {
		return p.Password, "", nil
	}
	const key = "push.password_file"
	text, mode, err := readToken(p.PasswordFile)
	if err != nil {
		return ddns.Secret{}, "", fmt.Errorf("%s: %w", key, err)
	}
	text = strings.TrimRight(text, "\r\n")
	if problem := badPassword(text); problem != "" {
		return ddns.Secret{}, "", fmt.Errorf("%s: %s %s", key, p.PasswordFile, problem)
	}
	return ddns.NewSecret(text), readByAll(key, p.PasswordFile, mode), nil
}
