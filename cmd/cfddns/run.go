package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/notify"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Keep every name right, from now on",
		Long: `The daemon. It makes a round at the start, by schedule, when it is asked to
(cfddns poke, SIGUSR1, a push of the router), and as soon as the kernel, the
router or a probe tells of a new address. It starts before the network is there
and goes on by itself when it comes; nothing that it learns from the network
ends it.

Signals: TERM and INT end it, HUP reads the configuration again, USR1 asks for
a round now.`,
		Example: "  cfddns run\n  cfddns run --config /etc/cfddns/cfddns.yaml --log-level debug",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
}

// theDaemon is a running cfddns.
type theDaemon struct {
	app     *app
	loop    *ddns.Loop
	log     *slog.Logger
	level   *slog.LevelVar
	talk    *talker
	door    *pushDoor
	rewatch chan struct{} // a reload happened
	started time.Time

	reloading sync.Mutex // one reload at a time, by signal or over the socket

	mu         sync.Mutex // guards the following, which a reload exchanges
	parts      *parts
	pushed     pushing
	notifier   *notify.Notifier
	saidSmall  bool
	wantsToken bool   // the last round could have gone well with another token
	refused    string // why the configuration that was read last is not in force; "" if it is
	unheld     string // why the control socket is not where it should be; "" if it is

	open atomic.Int32            // control sockets that are open
	now  atomic.Pointer[InForce] // which configuration is in force
}

func (a *app) run(ctx context.Context) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	p, err := a.wire(cfg)
	if err != nil {
		return err
	}
	pushed, warning, err := pushingOf(cfg)
	if err != nil {
		return err
	}
	p.warn(warning)
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(50) // a daemon that rests most of the time should not hold as much garbage as it holds data
	}
	signal.Ignore(syscall.SIGPIPE) // a reader of the log that ends must not end us
	level := new(slog.LevelVar)
	level.Set(a.level(cfg.Log.Level))
	log := a.logger(level, cfg.Log.Format)
	d := &theDaemon{app: a, log: log, level: level, talk: &talker{log: log}, rewatch: make(chan struct{}, 1), started: a.clock(), parts: p, pushed: pushed,
		notifier: notify.New(notifyConfig(cfg), p.network, log, roundLine)}
	d.loop = ddns.NewLoop(a.clock, d.took)
	d.loop.Turn = d.watchdog()
	d.door = newPushDoor(func() string { return d.pushing().listen }, newPushes(d.pushing, d.loop, log), log)
	d.putInForce(p)
	doors, err := d.doors(ctx)
	if err != nil {
		return exit(ddns.ExitUnexpected, err)
	}
	return d.serve(ctx, doors)
}

// serve runs until the context ends. What is begun here is waited for here.
func (d *theDaemon) serve(ctx context.Context, doors []*door) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var beside sync.WaitGroup
	for _, door := range doors {
		beside.Go(func() { d.holdControl(ctx, door) })
	}
	signals := make(chan os.Signal, 8) // a burst is not lost while one reloads
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	beside.Go(func() { d.listenSignals(ctx, signals) })
	beside.Go(func() { d.watch(ctx) })
	beside.Go(func() { d.door.stand(ctx) })
	beside.Go(func() { d.heedToken(ctx) })
	for _, w := range d.parts.warnings {
		d.log.Warn(w)
	}
	d.log.Info("started", "version", version(), "names", len(d.parts.runner.Targets), "token", d.parts.tokenSource, "fingerprint", d.parts.fingerprint)
	d.tell(daemon.SdNotifyReady + "\nSTATUS=first round under way")
	d.loop.Run(ctx, settingsOf(d.parts), ddns.Past{Memory: d.parts.memory})
	stop()
	d.tell(daemon.SdNotifyStopping)
	beside.Wait()
	d.notifier.Close()
	d.log.Info("stopped")
	return nil
}

// settingsOf is what the loop needs of the parts. Only a daemon asks when the
// token ends: a one-shot is over before it does.
func settingsOf(p *parts) ddns.Settings {
	p.runner.Watch, p.runner.Forgets = true, false
	p.runner.TokenExpires = func(ctx context.Context, account string) (time.Time, error) {
		token, err := p.client.VerifyToken(ctx, account)
		return token.Expires, err
	}
	return ddns.Settings{Runner: p.runner, Schedule: p.config.Schedule, Every: p.config.Schedule.Every}
}

// notifyConfig is the configuration of package notify.
func notifyConfig(cfg configs.Config) notify.Config {
	return notify.Config{Command: cfg.Notify.Command, OnChange: cfg.Notify.OnChange, Ping: cfg.Notify.Ping, Version: version()}
}

// took takes in a round that ended: it is kept, told and shown. What it took
// of memory goes back to the system, since the next one is minutes away.
func (d *theDaemon) took(round ddns.Round, past ddns.Past) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.parts.keeper.save(round, past.Memory)
	d.parts.client.CloseIdle() // after a change of address kept connections lead nowhere, and hang
	if d.parts.client.SmallHello() && !d.saidSmall {
		d.saidSmall = true
		d.log.Info("this line drops large TLS greetings, so the API is reached without post-quantum key exchange; nothing else changes")
	}
	d.wantsToken = wantsToken(round)
	d.talk.round(round, past)
	if why := d.parts.keeper.why(); why != nil && !saysUnkept(round) {
		d.log.Warn("what this round leaves could not be kept; the next one tries again", "err", why) // and has a condition
	}
	d.notifier.Report(round)
	d.tell("STATUS=" + statusLine(round, past) + d.refusal())
	rest()
}

// listenSignals reads HUP and USR1 until the context ends.
func (d *theDaemon) listenSignals(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				d.loop.Recheck(ctx, ddns.BySignal)
				continue
			}
			_ = d.reload(ctx) // the log says why it is refused
		case <-ctx.Done():
			return
		}
	}
}

// reload reads the configuration again. A bad one is refused, and the old one stays.
func (d *theDaemon) reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonicMicroseconds()))
	defer d.tell(daemon.SdNotifyReady)
	cfg, err := d.app.load()
	if err != nil {
		d.log.Error(reloadRefused, "err", err)
	} else {
		err = d.use(ctx, cfg)
	}
	d.remember(err)
	if status, asked := d.loop.Status(ctx); asked == nil {
		d.tell("STATUS=" + d.report(status).Line)
	}
	return err
}

// remember keeps why a new configuration is not in force, for as long as that is so.
func (d *theDaemon) remember(refusal error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused = ""
	if refusal != nil {
		d.refused = strings.ReplaceAll(refusal.Error(), "\n", "; ")
	}
}

// refusal is what the line of the status says of that, and of a control socket
// that is missing. The lock is held.
func (d *theDaemon) refusal() string {
	text := ""
	if d.refused != "" {
		text = " · " + reloadRefused
	}
	if d.unheld != "" && d.open.Load() == 0 {
		text += " · no control socket: " + d.unheld
	}
	return text
}

// reloadRefused is what the log says of a configuration that is of no use.
const reloadRefused = "the new configuration is refused, the old one stays"

// use puts a configuration in force, or says why it stays as it is.
func (d *theDaemon) use(ctx context.Context, cfg configs.Config) error {
	p, err := d.app.wire(cfg)
	if err != nil {
		d.log.Error(reloadRefused, "err", err)
		return err
	}
	pushed, warning, err := pushingOf(cfg)
	if err != nil {
		d.log.Error(reloadRefused, "err", err)
		return err
	}
	p.warn(warning)
	if err := d.loop.Reload(ctx, settingsOf(p)); err != nil {
		return err // we are stopping
	}
	d.level.Set(d.app.level(cfg.Log.Level))
	d.mu.Lock()
	old := d.parts.config
	d.parts, d.pushed = p, pushed
	d.notifier.Reconfigure(notifyConfig(cfg))
	d.mu.Unlock()
	d.putInForce(p)
	d.door.move()
	select {
	case d.rewatch <- struct{}{}:
	default: // one is waiting already, and will see these parts
	}
	if cfg.Control != old.Control || cfg.Log.Format != old.Log.Format {
		d.log.Warn("control: and log.format: take effect with a restart; all else is in force")
	}
	for _, w := range p.warnings {
		d.log.Warn(w)
	}
	d.log.Info("reloaded", "names", len(p.runner.Targets), "token", p.tokenSource, "fingerprint", p.fingerprint)
	return nil
}

// config is the configuration in force.
func (d *theDaemon) config() configs.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.parts.config
}

// pushing is what the configuration in force says of pushes.
func (d *theDaemon) pushing() pushing {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pushed
}

// tell says something to systemd, if it started us. https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
func (d *theDaemon) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		d.log.Debug("systemd could not be told", "err", err)
	}
}

// watchdog tells systemd that the loop turns, where it asks to be told.
func (d *theDaemon) watchdog() func() {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return func() {}
	}
	d.loop.TurnEvery = min(d.loop.TurnEvery, every/3)
	return func() { d.tell(daemon.SdNotifyWatchdog) }
}

// report is how the daemon stands, for `cfddns status`.
func (d *theDaemon) report(s ddns.Status) StatusReport {
	report := StatusReport{Version: version(), PID: os.Getpid(), Started: d.started,
		Rounds: s.Rounds, Running: s.Running, Next: s.Next,
		Line: "the first round is under way", Config: d.inForce(), Names: []NameStatus{}}
	if s.Last.ID != "" {
		last := s.Last.Report()
		report.Round, report.Line, report.Proved = &last, statusLine(s.Last, s.Past), proved(s.Last, s.Past)
		report.Names = nameStatuses(s.Last, s.Past)
		for i := range last.Targets { // a reason for a change is no news once it was made
			last.Targets[i].Why = report.Names[i].Why
		}
		if at := s.Last.ReadAt(); !at.IsZero() {
			at = at.UTC()
			report.ReadAt = &at
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	report.Refused = d.refused
	report.Line += d.refusal()
	return report
}
