package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// A service gets its token as a systemd credential: systemd reads the file as
// root when the service starts, and lays a copy where the service alone can
// read it (https://systemd.io/CREDENTIALS/). So a token that is replaced takes
// effect with a restart, and never with a reload.

// tokenCredential is the name of the credential.
const tokenCredential = "cloudflare-token"

// handedOver is the credential of the token.
type handedOver struct {
	path string // of the copy; "" if there is none
	// blank: the unit's file is missing or empty. The shipped unit then hands
	// over an empty line, for the token may be elsewhere.
	blank bool
	site  Site // whose words say what to do
}

// credential finds the token's credential. The directory holds what the unit
// loads, which may be no token.
func credential(vars map[string]string, site Site) handedOver {
	dir := vars["CREDENTIALS_DIRECTORY"]
	if dir == "" {
		return handedOver{}
	}
	path := filepath.Join(dir, tokenCredential)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return handedOver{}
	}
	return handedOver{path: path, blank: err == nil && strings.TrimSpace(string(content)) == "", site: site}
}

// explain adds to an error of a token's file what the unit has to do with it.
func (h handedOver) explain(err error, file string) error {
	locked := onlyEncrypted(file)
	switch {
	case h.blank && locked != "":
		return fmt.Errorf("%w. The service was handed no token: write it into %s, or hand it %s by "+
			"LoadCredentialEncrypted=%s", err, unitTokens()[0], locked, h.site.again())
	case h.blank:
		return fmt.Errorf("%w. The service was handed no token: write it into %s%s", err,
			unitTokens()[0], h.site.again())
	case locked != "":
		return fmt.Errorf("%w. %s is for the service; for a command by hand: %s | "+
			"CLOUDFLARE_API_TOKEN_FILE=/dev/stdin cfddns …", err, locked,
			ddns.CommandLine("systemd-creds", "decrypt", "--name="+tokenCredential, locked, "-"))
	}
	return err
}

// onlyEncrypted is the file that holds the token encrypted, where the file itself
// is missing; else "".
func onlyEncrypted(file string) string {
	if _, err := os.Stat(file); file == "" || !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	locked := file + ".cred"
	if _, err := os.Stat(locked); err != nil {
		return ""
	}
	return locked
}

// unitTokens are the files that a unit of ours hands over: as they are, or encrypted.
func unitTokens() []string { return []string{"/etc/cfddns/token", "/etc/cfddns/token.cred"} }

// outdated warns of a file that was written after its content was handed over.
func (h handedOver) outdated(files []string) []Warning {
	copied, err := os.Stat(h.path)
	if err != nil {
		return nil
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(copied.ModTime()) {
			return []Warning{Warning(file + " was written after the service had started, and the old token is still in use; to take the new one: systemctl restart cfddns")}
		}
	}
	return nil
}
