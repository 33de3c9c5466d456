package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// Site is where this program runs, as far as its environment tells: what mends
// something as a service is of no use in a container, or by hand.
type Site struct {
	unit      string // the systemd unit that runs it, without .service; "" for none
	container bool
}

// SiteOf reads the environment.
func SiteOf(env []string) Site {
	vars := environment(env)
	s := Site{container: vars["container"] != ""} // https://systemd.io/CONTAINER_INTERFACE/
	// /run/credentials/UNIT (systemd.exec(5))
	if unit, found := strings.CutSuffix(filepath.Base(vars["CREDENTIALS_DIRECTORY"]), ".service"); found {
		s.unit = unit
	}
	return s
}

// oneShot is the unit that the timer starts.
const oneShot = "cfddns-once"

// again says how a service takes what systemd hands it at its start.
func (s Site) again() string {
	switch s.unit {
	case oneShot:
		return "; the timer's next round takes it (one now: systemctl start " + oneShot + ")"
	case "":
		return ", then: systemctl restart cfddns"
	default:
		return ", then: " + ddns.CommandLine("systemctl", "restart", s.unit)
	}
}

// Start says how a cfddns is started; by hand it is the command.
func (s Site) Start(command string) string {
	if s.container {
		return "docker start cfddns"
	}
	return command + ", or as a service: systemctl start cfddns"
}

// Reload says how a running cfddns is told to read its configuration again; its
// process is 0 if it is not known.
func (s Site) Reload(process int) string {
	switch {
	case s.container:
		return "docker kill -s HUP cfddns"
	case process > 0:
		return fmt.Sprintf("kill -HUP %d, or systemctl reload cfddns", process)
	default:
		return "kill -HUP, or systemctl reload cfddns"
	}
}

// ReplaceToken says how a token is replaced that came from a source, as Token
// names it.
func (s Site) ReplaceToken(source string) string {
	switch {
	case strings.Contains(source, "credential"):
		return replaceCredential(unitTokens()) + s.again()
	case strings.HasSuffix(strings.ToUpper(source), "TOKEN_FILE"):
		return s.replaceFile()
	case strings.HasPrefix(source, "CLOUDFLARE_") || strings.HasPrefix(source, prefix):
		return s.replaceVariable()
	case s.container:
		return "write the new one there, then: " + s.Reload(0)
	case s.unit == oneShot:
		return "write the new one there" + s.again()
	case s.unit != "":
		return "write the new one there, then: " + ddns.CommandLine("systemctl", "reload", s.unit)
	default:
		return "write the new one there, and reload (SIGHUP) or restart"
	}
}

func (s Site) replaceFile() string {
	const write = "write the new one into that file"
	switch {
	case s.container:
		return write + " on the host; it is taken within seconds, or, where this file alone is mounted, with: " +
			"docker restart cfddns"
	case s.unit == oneShot:
		return write + s.again()
	case s.unit != "":
		return write + "; it is taken within seconds"
	default:
		return write + "; a running cfddns takes it within seconds, the systemd service with: systemctl restart " +
			"cfddns, the timer with its next round"
	}
}

func (s Site) replaceVariable() string {
	switch {
	case s.container:
		return "make the container anew with the new one: a restart keeps its environment"
	case s.unit != "":
		return "set the new one there (in /etc/cfddns/environment, if it is from there)" + s.again()
	default:
		return "set the new one there, and restart"
	}
}

// replaceCredential says which file is replaced: the plain one, or the encrypted
// one where that alone is there.
func replaceCredential(files []string) string {
	there := func(path string) bool { _, err := os.Stat(path); return err == nil }
	plain, locked := files[0], files[1]
	switch {
	case there(locked) && there(plain):
		return fmt.Sprintf("replace %s or %s, whichever the service's LoadCredential= or LoadCredentialEncrypted= "+
			"names", plain, locked)
	case there(locked):
		return fmt.Sprintf("encrypt the new one into %s (systemd-creds encrypt --name=%s - %[1]s)",
			locked, tokenCredential)
	default:
		return fmt.Sprintf("replace %s (or what the service's LoadCredential= names)", plain)
	}
}
