// Package notify tells people, and their monitoring, what rounds found. It
// reads rounds and cannot answer them: a message that does not get through
// never holds up an update.
//
// There are three ways, each independent of the others:
//
//   - command is run once for each condition that is raised or cleared, and
//     gets one JSON document on its standard input:
//     {"event":"raised","condition":{"code":"token-refused","severity":"alarm",
//     "name":"","title":"…","hint":"…","since":"RFC3339"},
//     "host":"nas","round":"18a…","at":"RFC3339"}
//     More than five conditions of one code at once are told as one, whose
//     name is empty and whose title counts them.
//   - on_change is run when an address was published and the world was not
//     seen to contradict it, with OLD, NEW, FAMILY ("ipv4", "ipv6"), NAMES
//     (comma separated) and ROUND in its environment; once for each family and
//     round. OLD is empty if there was no address before.
//   - ping is a URL that is asked for after each round: https://healthchecks.io
//     and Uptime Kuma call this a check-in. Silence is then an alarm too.
//
// Commands are run without a shell, one at a time, for at most 30 seconds, and
// without our secrets. A command that fails for a condition is run again after
// the next rounds, three times in all; on_change is run once.
// What was told is remembered only while the program runs: after a restart a
// condition that still stands is told again.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// closePatience is how long Close waits for what is under way: the program is
// to end within two seconds, whatever somebody's command does.
const closePatience = time.Second

// Notifier tells what it is given. Report may be called from any goroutine;
// all telling is done by one of its own, which Close ends.
type Notifier struct {
	log     *slog.Logger
	summary func(ddns.Round) string
	host    string
	world   ddns.World

	mu    sync.Mutex // guards the following
	box   mailbox
	asked *Config // to be taken up before the next thing is told; nil: none

	wake   chan struct{} // there is something in the box
	ending chan struct{}
	end    sync.Once
	done   chan struct{}
	ctx    context.Context // of all that is under way
	cancel context.CancelFunc

	// What follows belongs to the goroutine of run.
	config    Config
	pinger    pinger
	latest    ddns.Round
	moment    moment
	told      told
	published map[ddns.Family]string // the round whose change was last told
	commands  complaint
	changes   complaint
	pings     complaint
}

// New starts a notifier. The configuration must be valid. Summary gives the
// one line that a ping carries for a round; it is called from the notifier's
// own goroutine.
func New(config Config, world ddns.World, log *slog.Logger, summary func(ddns.Round) string) *Notifier {
	host, err := os.Hostname()
	if err != nil {
		log.Debug("the name of this machine is not known", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Notifier{config: config, log: log, summary: summary, host: host, world: world, pinger: newPinger(config, world),
		wake: make(chan struct{}, 1), ending: make(chan struct{}), done: make(chan struct{}), ctx: ctx, cancel: cancel,
		told: told{}, published: map[ddns.Family]string{},
		commands: complaint{what: "notify.command"}, changes: complaint{what: "notify.on_change"}, pings: complaint{what: "notify.ping"}}
	go n.run()
	return n
}

// Report takes a round, and never waits. While a command is under way the
// conditions of the newest round count; changes of address are all kept, up to
// changesMost. A dry round is not told. The same round may come again with
// later proofs.
func (n *Notifier) Report(round ddns.Round) {
	if round.Dry {
		return
	}
	n.mu.Lock()
	n.box.put(round, time.Now())
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

// Reconfigure exchanges the configuration, which must be valid, before the next
// thing is told. What was told stays told; what the old command did not take is
// given to the new one.
func (n *Notifier) Reconfigure(config Config) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = &config
}

// takeUp brings a new configuration in force. It belongs to the goroutine of run.
func (n *Notifier) takeUp() {
	n.mu.Lock()
	asked := n.asked
	n.asked = nil
	n.mu.Unlock()
	if asked == nil {
		return
	}
	if !slices.Equal(n.config.Command, asked.Command) {
		n.told.retry()
	}
	n.config, n.pinger = *asked, newPinger(*asked, n.world)
}

// Close tells what is still waiting, for at most closePatience, and then ends
// whatever is under way and drops the rest. It returns once nothing runs any more.
func (n *Notifier) Close() {
	n.end.Do(func() { close(n.ending) })
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	select {
	case <-n.done:
	case <-patience.C:
	}
	n.cancel()
	<-n.done
}

// run tells until Close.
func (n *Notifier) run() {
	defer close(n.done)
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		select {
		case <-n.wake:
			n.takeUp()
			n.deliver()
		case <-due.C:
			n.takeUp()
			n.tell()
		case <-n.ending:
			n.takeUp()
			n.deliver()
			return
		}
		due.Reset(n.told.next(n.latest, n.moment.now()))
	}
}

// deliver tells what is in the box: what a machine may act on first.
func (n *Notifier) deliver() {
	n.mu.Lock()
	box := n.box
	n.box = mailbox{}
	n.mu.Unlock()
	if box.empty() {
		return
	}
	n.latest, n.moment = box.round, n.moment.of(box.round, box.at)
	for _, c := range box.changes {
		n.tellChange(c)
	}
	n.ping()
	n.tell()
}

// tellChange runs on_change, once for each family and round.
func (n *Notifier) tellChange(c change) {
	if len(n.config.OnChange) == 0 || n.published[c.family] == c.round {
		return
	}
	n.published[c.family] = c.round
	n.changes.note(n.log, run(n.ctx, n.config.OnChange, c.environment(), nil))
}

// ping tells the monitoring how the latest round ended.
func (n *Notifier) ping() {
	if n.config.Ping.IsZero() {
		return
	}
	if sent, err := n.pinger.ping(n.ctx, n.latest, n.summary(n.latest)); sent {
		n.pings.note(n.log, err)
	}
}

// message is what the command reads.
type message struct {
	Event     string         `json:"event"` // "raised" or "cleared"
	Condition ddns.Condition `json:"condition"`
	Host      string         `json:"host"`
	Round     string         `json:"round"`
	At        time.Time      `json:"at"`
}

// tell runs the command for the conditions that have stood long enough, and
// for those that were told and are gone.
func (n *Notifier) tell() {
	if len(n.config.Command) == 0 {
		return
	}
	now := n.moment.now()
	for _, b := range bundled(n.told.raise(n.latest, now)) {
		n.told.mark(b.of, n.command("raised", b.condition, now))
	}
	for _, b := range bundled(n.told.clear(n.latest.Conditions)) {
		n.command("cleared", b.condition, now)
	}
}

// command runs the command for one condition, and reports whether it took it.
func (n *Notifier) command(event string, c ddns.Condition, now time.Time) (taken bool) {
	document, err := json.Marshal(message{Event: event, Condition: c, Host: n.host, Round: n.latest.ID, At: now.UTC().Truncate(time.Second)})
	if err == nil {
		err = run(n.ctx, n.config.Command, nil, append(document, '\n'))
	}
	n.commands.note(n.log, err)
	return err == nil
}

// moment is the time by the clock of rounds: when the latest one started, and
// what has passed since by the monotonic clock, which nobody sets.
type moment struct {
	round    string
	started  time.Time
	received time.Time
}

// of returns the moment of a round that was received at a time. A round that
// comes again started when it did.
func (m moment) of(round ddns.Round, received time.Time) moment {
	if m.round == round.ID {
		return m
	}
	return moment{round: round.ID, started: round.Started, received: received}
}

func (m moment) now() time.Time { return m.started.Add(time.Since(m.received)) }

// complaint is a way of telling that may be broken, which is logged once.
type complaint struct {
	what    string
	failing bool
}

// note logs an error if all was well before, and that all is well if not.
func (c *complaint) note(log *slog.Logger, err error) {
	switch {
	case errors.Is(err, context.Canceled): // by Close: it says nothing of the way
		return
	case err != nil && !c.failing:
		log.Warn(c.what+" does not work; this is said once, until it works again", "error", err)
	case err == nil && c.failing:
		log.Info(c.what + " works again")
	}
	c.failing = err != nil
}
