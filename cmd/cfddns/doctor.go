package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/doctor"
	"github.com/spf13/cobra"
)

// doctorFlags are the flags of the doctor, as they were written.
type doctorFlags struct{ since, client string }

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [NAME or URL]",
		Short: "Find out who is to blame when a name does not work",
		Long: `Examines everybody between a visitor and this home side by side: Cloudflare
and its edge, the server at home, the client, the record, the dynamic DNS host
that it hops over, the router, the resolvers, Cloudflare's security, the token,
the clock and cfddns itself. It clears whom it can, and names one culprit with
what mends it, or says who it cannot tell apart and what would decide. It
changes nothing, takes less than ten seconds, and does without a token what can
be done from outside.

Without a name it examines the first three that are configured.

Exit codes: 0 nothing is wrong · 8 a culprit · 9 something is wrong and it
cannot tell which · 2 arguments or configuration`,
		Example: `  cfddns doctor www.example.com
  cfddns doctor https://www.example.com/api/health
  cfddns doctor www.example.com --since 22:00         what was it last night?
  cfddns doctor api.example.com --client 203.0.113.4  why is it turned away?
  cfddns doctor --output json | jq -r '.culprits[0]'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("one name at a time: cfddns doctor %s, then cfddns doctor %s", args[0], args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.doctor(cmd.Context(), strings.Join(args, ""), f)
		},
	}
	cmd.Flags().StringVar(&f.since, "since", "",
		"also ask what Cloudflare remembers since `TIME`:\n22:00, 3h, or 2026-11-24T01:00:00Z")
	cmd.Flags().StringVar(&f.client, "client", "", "look for what was done to the requests of this `ADDRESS`")
	return cmd
}

// mostExamined bounds how many names are examined without being named.
const mostExamined = 3

func (a *app) doctor(ctx context.Context, subject string, f doctorFlags) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	questions, left, err := a.questions(cfg, subject, f)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	probes, zones, err := a.probes(cfg)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	stop := a.progress("examining everybody between a visitor and this home")
	exams := make([]doctorExam, len(questions))
	var examining sync.WaitGroup
	for i, q := range questions {
		examining.Go(func() {
			e := doctor.Gather(ctx, q, probes)
			exams[i] = doctorExam{doctor.Judge(e), e}
		})
	}
	examining.Wait()
	zones.CloseIdle()
	stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return a.sayDoctor(exams, left)
}

// doctorExam is one name that was examined.
type doctorExam struct {
	doctor.Diagnosis
	evidence doctor.Evidence
}

// questions are the names to examine, and how many are left out.
func (a *app) questions(cfg configs.Config, subject string, f doctorFlags) (questions []doctor.Question, left int, err error) {
	q := doctor.Question{Clock: a.clock, Spread: a.looksOver, Servers: cfg.Cloudflare.NameServers,
		Resolvers: cfg.PlainResolvers()}
	if f.client != "" {
		if q.Client, err = netip.ParseAddr(f.client); err != nil || q.Client.Zone() != "" {
			return nil, 0, fmt.Errorf("--client is %q; write an IPv4 or IPv6 address", f.client)
		}
		q.Client = q.Client.Unmap()
	}
	if q.Since, err = parseSince(f.since, a.clock()); err != nil {
		return nil, 0, err
	}
	var names []string
	for _, t := range cfg.Targets() {
		if !slices.Contains(names, t.Name) && !strings.HasPrefix(t.Name, "*.") {
			names = append(names, t.Name)
		}
	}
	if subject != "" {
		names = []string{subject}
	}
	if len(names) == 0 {
		return nil, 0, errors.New("which name does not work? Say it: cfddns doctor www.example.com (no name is configured)")
	}
	left = max(0, len(names)-mostExamined)
	for _, name := range names[:len(names)-left] {
		if err := about(&q, name, cfg.Targets()); err != nil {
			return nil, 0, err
		}
		questions = append(questions, q)
	}
	return questions, left, nil
}

// about makes a question one about a name, or the page of a URL.
func about(q *doctor.Question, subject string, targets []ddns.Target) error {
	host, page := subject, ""
	if strings.Contains(subject, "://") {
		u, err := url.Parse(subject)
		if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("%q is no web address; write https://HOST/PATH or a name", subject)
		}
		host, page = u.Hostname(), subject
	}
	name, err := configs.Name(host)
	if err != nil {
		return err
	}
	q.Host, q.URL, q.Kept, q.Others = name, page, nil, nil
	for _, t := range targets {
		if t.Name != name {
			q.Others = append(q.Others, t.Name+" "+t.Type)
			continue
		}
		q.Kept = append(q.Kept, t.Type)
		if strings.Contains(t.Check, "://") && q.URL == "" {
			q.URL = t.Check
		}
	}
	if q.Asked = q.URL != ""; !q.Asked {
		q.URL = "https://" + name + "/"
	}
	return nil
}

// parseSince reads a time in the past: an instant, a time of day that is the
// latest such one, or how long ago.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	since, err := time.Parse(time.RFC3339, text)
	if ago, agoErr := time.ParseDuration(text); agoErr == nil {
		since, err = now.Add(-ago), nil
	}
	if day, dayErr := time.ParseInLocation("15:04", text, now.Location()); dayErr == nil {
		since, err = time.Date(now.Year(), now.Month(), now.Day(), day.Hour(), day.Minute(), 0, 0, now.Location()), nil
		if since.After(now) {
			since = since.AddDate(0, 0, -1)
		}
	}
	if err != nil || !since.Before(now) {
		return time.Time{}, fmt.Errorf("--since is %q; write a time of day that has been (22:00), how long ago (3h), or an instant (2026-11-24T01:00:00Z)", text)
	}
	return since, nil
}
