package ddns

import "slices"

// The exit codes of a command that makes one round. README.md lists them.
const (
	ExitRight        = 0   // every target is right, or was put right
	ExitUnexpected   = 1   // something nobody foresaw
	ExitUsage        = 2   // arguments or configuration file
	ExitHeld         = 3   // no address to publish, or held on purpose
	ExitRefused      = 4   // refused by Cloudflare, or by us
	ExitPartly       = 5   // some targets are right, and some are not
	ExitUnreached    = 6   // Cloudflare could not be reached, or asked us to wait
	ExitContradicted = 7   // the nameservers say something else
	ExitNoDaemon     = 10  // no daemon of this configuration answers; 8 and 9 are the doctor's
	ExitSignal       = 128 // plus the signal's number
)

// exitOf is the exit code of each state of a target.
var exitOf = map[TargetState]int{
	Right: ExitRight, Changed: ExitRight,
	Held: ExitHeld, Refused: ExitRefused, Unreached: ExitUnreached, Contradicted: ExitContradicted,
}

// Exit is the exit code of the round: 0 if all is well, ExitPartly if some is,
// else the lowest code that fits. Ways in count as targets do.
func (r Round) Exit() int {
	codes := make([]int, 0, len(r.Outcomes))
	for _, o := range r.Outcomes {
		codes = append(codes, exitOf[o.State])
	}
	for _, o := range r.WaysIn {
		codes = append(codes, exitOf[o.State])
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	switch {
	case len(codes) == 0:
		return ExitRight
	case codes[0] == ExitRight && len(codes) > 1:
		return ExitPartly
	default:
		return codes[0]
	}
}
