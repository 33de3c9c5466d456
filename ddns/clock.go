package ddns

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// clockTrouble says why the clock of this machine must be wrong; nil if nothing
// shows that it is. While it is, certificates look invalid.
func (r *Runner) clockTrouble(round Round) *Condition {
	day := round.Started.UTC().Format(time.DateOnly)
	const hint = "set the clock (systemctl status systemd-timesyncd); cfddns goes on by itself once it is right"
	if !r.Built.IsZero() && round.Started.Before(r.Built) {
		c := condition(CodeClock, "", fmt.Sprintf("the clock says %s, before this program was built: certificates look invalid, and nothing can be published", day), hint)
		return &c
	}
	if n := OutOfTime(round.Verdicts); n > 0 {
		c := condition(CodeClock, "", fmt.Sprintf("the clock says %s, when the certificates of %d operators that were asked are not valid: it is wrong, or somebody answers in their place; nothing can be published", day, n), hint)
		return &c
	}
	return nil
}

// OutOfTime counts the operators whose certificates are not valid at this time,
// if there are several and nobody proved who he is: one of them may be late with
// his, all of them are not. A login page has one certificate for all names, and
// that may well have expired. An interface, a router or plain DNS knows no time.
func OutOfTime(verdicts []Verdict) int {
	late, certificates := map[string]bool{}, map[string]bool{}
	for _, v := range verdicts {
		for _, o := range v.Observations {
			invalid, ok := errors.AsType[x509.CertificateInvalidError](o.Err)
			switch {
			case ok && invalid.Reason == x509.Expired && invalid.Cert != nil: // or not begun
				late[o.Operator], certificates[string(invalid.Cert.Raw)] = true, true
			case o.Err == nil && o.Class == Authenticated:
				return 0
			}
		}
	}
	if len(late) < 2 || len(certificates) < 2 {
		return 0
	}
	return len(late)
}
