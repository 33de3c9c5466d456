package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

const (
	// pokePatience is how long a poked round may take: its asking, writing and
	// proving, and what is left of the round before it.
	pokePatience = 2 * time.Minute
	// quietPatience is how long a hook is held up by a daemon that does not answer.
	quietPatience = 2 * time.Second
)

func (a *app) pokeCommand() *cobra.Command {
	var wait, quiet bool
	cmd := &cobra.Command{
		Use:   "poke",
		Short: "Ask the running daemon for a round now",
		Long: `Asks the running daemon for a round now: for the hooks of pppd, DHCP clients
and routers. SIGUSR1 does the same. It does not wait for the round, unless
--wait is given; then it prints how the round ended, and ends as "cfddns once"
would: 0 all right · 3 no address to publish, or held · 4 refused · 5 some
right, some not · 6 Cloudflare not reached · 7 contradicted by the
nameservers · 10 no daemon of this configuration answers. The round reads the
records again, unless that was done six times within a minute.

With --quiet it prints nothing, has nothing read again, and always ends with
0, also where no daemon runs, so that no hook fails because of it.`,
		Example: `  cfddns poke
  cfddns poke --wait       and say how the round ended
  cfddns poke --quiet &    in a hook`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case wait && quiet:
				return exit(ddns.ExitUsage, errors.New("--wait ends as the round did, and --quiet ends well whatever happens: leave one out"))
			case quiet:
				// a hook has nobody to tell
				_, _ = a.askWithin(cmd.Context(), quietPatience, http.MethodPost, "/poke", new(pokeReport))
				return nil
			case wait:
				return a.pokeAndWait(cmd.Context())
			default:
				return a.poke(cmd.Context())
			}
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the round, and end as it did")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing and end with 0, whatever happens")
	return cmd
}

// pokeReport is what the daemon answers to a poke.
type pokeReport struct {
	Poked bool         `json:"poked"`
	Line  string       `json:"line,omitempty"`  // the round in one line, if it was waited for
	Round *ddns.Report `json:"round,omitempty"` // and in full
}

func (a *app) poke(ctx context.Context) error {
	var done pokeReport
	note, err := a.askWithin(ctx, controlTimeout, http.MethodPost, "/poke?fresh=true", &done)
	if err != nil {
		return err
	}
	a.sayPending(note)
	if a.json() {
		return a.printJSON(done)
	}
	if a.terminal {
		sayf(a.stdout, "a round starts now; cfddns status shows how it ended\n")
	}
	return nil
}

func (a *app) pokeAndWait(ctx context.Context) error {
	var done pokeReport
	stop := a.progress("waiting for the round")
	note, err := a.askWithin(ctx, pokePatience, http.MethodPost, "/poke?wait=true&fresh=true", &done)
	stop()
	if err != nil {
		return err
	}
	a.sayPending(note)
	switch {
	case done.Round == nil: // a daemon from before an update does not know how to wait
		return exit(ddns.ExitUnexpected, errors.New("the running cfddns is older than this one and does not wait; restart it. The round was asked for"))
	case a.json():
		err = a.printJSON(done.Round)
	default:
		sayf(a.stdout, "%s\n", done.Line)
	}
	if err != nil {
		return exit(ddns.ExitUnexpected, err)
	}
	return exit(done.Round.Exit, nil)
}

// sayPending says what stands between the configuration and the daemon that keeps it.
func (a *app) sayPending(note string) {
	if note != "" {
		a.warn([]string{note})
	}
}

// pokeAnswer serves POST /poke; with ?wait=true it is answered after the round,
// with ?fresh=true the records are read again.
func (d *theDaemon) pokeAnswer(w http.ResponseWriter, r *http.Request) {
	wake := d.loop.WakeOut
	if r.FormValue("fresh") == "true" {
		wake = d.loop.RecheckOut
	}
	if r.FormValue("wait") != "true" {
		if r.FormValue("fresh") == "true" {
			d.loop.Recheck(r.Context(), ddns.ByPoke)
		} else {
			d.loop.Wake(ddns.ByPoke)
		}
		answer(w, pokeReport{Poked: true})
		return
	}
	round, err := wake(r.Context(), ddns.ByPoke)
	if err != nil { // we are stopping, and our end is the answer
		panic(http.ErrAbortHandler)
	}
	report, line := round.Report(), roundLine(round)
	if status, err := d.loop.Status(r.Context()); err == nil {
		line = lineWithHome(round, status.Past)
	}
	if at := round.ReadAt(); !at.IsZero() && at.Before(round.Started) {
		line += " · the records as read " + ago(at, d.app.clock())
	}
	answer(w, pokeReport{Poked: true, Line: line, Round: &report})
}
