package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

const (
	// controlTimeout is how long the daemon may take to answer, where it waits for nothing.
	controlTimeout = 5 * time.Second
	// answerMost is the size of the largest answer that is read: room for the
	// status of ten thousand names.
	answerMost = 16 << 20
)

// Why no daemon answers for a configuration. All of them end with
// ddns.ExitNoDaemon.
var (
	errNoDaemon    = errors.New("no daemon runs here")
	errOtherConfig = errors.New("the running daemon keeps another configuration")
	errMute        = errors.New("the daemon does not answer")
)

// unanswered is such a reason in a person's words.
type unanswered struct {
	why   []error // the kinds
	words string
}

// Error implements error.
func (u unanswered) Error() string { return u.words }

// Is reports whether one of the reasons is of a kind.
func (u unanswered) Is(kind error) bool {
	return slices.ContainsFunc(u.why, func(why error) bool { return errors.Is(why, kind) })
}

// question is the configuration that a command asks for.
type question struct {
	path   string // as it was named or found
	read   configs.Origin
	broken error // why it cannot be used
	site   configs.Site
}

// asks is the configuration that this command is about.
func (a *app) asks() question {
	path := configs.Find(a.configFile, a.env)
	cfg, _, err := configs.Load(path, a.env)
	if err != nil {
		return question{path, configs.Place(path, a.env), err, configs.SiteOf(a.env)}
	}
	return question{path, cfg.Read, nil, configs.SiteOf(a.env)}
}

// met is a daemon that answers, and for what.
type met struct {
	client *http.Client
	now    InForce
	note   string // what stands between the configuration and the daemon; "" if nothing does
}

// ask asks the running daemon of this configuration.
func (a *app) ask(ctx context.Context, method, path string, into any) error {
	_, err := a.askWithin(ctx, controlTimeout, method, path, into)
	return err
}

// askWithin is ask of a daemon that may take that long to answer. It returns
// what stands between the configuration and the daemon.
func (a *app) askWithin(ctx context.Context, patience time.Duration,
	method, path string, into any) (note string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	want := a.asks()
	daemon, err := a.meet(ctx, want)
	if err != nil {
		if want.broken != nil {
			return "", exit(ddns.ExitUsage, errors.Join(want.broken, err))
		}
		return "", exit(ddns.ExitNoDaemon, err)
	}
	defer daemon.client.CloseIdleConnections()
	return daemon.note, daemon.say(ctx, patience, method, path, into)
}

// say asks a daemon that was met.
func (m *met) say(ctx context.Context, patience time.Duration, method, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://cfddns"+path, nil)
	if err != nil {
		return err
	}
	response, err := m.client.Do(request)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return exit(ddns.ExitNoDaemon, unanswered{[]error{errMute},
			fmt.Sprintf("cfddns runs here and does not answer within %s; its log says more", patience)})
	case err != nil:
		return exit(ddns.ExitNoDaemon, unanswered{[]error{errMute},
			"the running cfddns was stopped before it answered; what it had written is kept, ask again once it runs"})
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerMost+1))
	switch {
	case err != nil:
		return exit(ddns.ExitUnexpected, fmt.Errorf("the running cfddns answered half a sentence: %w; ask again", err))
	case len(body) > answerMost:
		return exit(ddns.ExitUnexpected,
			fmt.Errorf("the running cfddns answered more than %d bytes, which was not read", answerMost))
	case response.StatusCode != http.StatusOK:
		return exit(ddns.ExitUnexpected,
			fmt.Errorf("the running cfddns answered %d: %.200q", response.StatusCode, strings.TrimSpace(string(body))))
	}
	return decodeAnswer(body, into)
}

// decodeAnswer reads an answer that is one document and nothing else.
func decodeAnswer(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	err := d.Decode(into)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("more follows it")
		}
	}
	if err != nil {
		return exit(ddns.ExitUnexpected,
			fmt.Errorf("the answer of the running cfddns cannot be read: %w; is it of another version? restart it",
				err))
	}
	return nil
}

// meet finds the daemon of a configuration. Whoever answers is believed only if
// he is this user, root or the place's rightful owner, and says that he keeps
// this very configuration.
func (a *app) meet(ctx context.Context, want question) (*met, error) {
	places := askPlaces(want.path, a.env)
	var trouble unanswered
	add := func(kind error, words string) {
		trouble.why = append(trouble.why, kind)
		trouble.words = joinNonEmpty("; ", trouble.words, words)
	}
	for _, place := range places {
		daemon, err := meetAt(ctx, place)
		var who stranger
		var answered *exitError
		switch {
		case errors.As(err, &who):
			add(who, who.Error())
			continue
		case errors.Is(err, fs.ErrPermission):
			add(fs.ErrPermission, "the control socket of the cfddns here is another user's; ask it with sudo")
			continue
		case errors.As(err, &answered):
			add(errMute, fmt.Sprintf("at %s: %v", place, err))
			continue
		case err != nil: // nobody is there
			continue
		}
		if why := differs(want.read, daemon.now); why != "" {
			daemon.client.CloseIdleConnections()
			add(errOtherConfig, fmt.Sprintf("the running cfddns (pid %d) keeps another configuration: %s",
				daemon.now.PID, why))
			continue
		}
		daemon.note = want.pending(daemon.now)
		return daemon, nil
	}
	return nil, trouble.of(want, places)
}

// of says the reason of all places together.
func (u unanswered) of(want question, places []string) error {
	start := ddns.CommandLine("cfddns", "run")
	if want.path != "" {
		start = ddns.CommandLine("cfddns", "run", "--config", want.path)
	}
	if len(u.why) == 0 {
		return unanswered{[]error{errNoDaemon},
			fmt.Sprintf("no running cfddns answers on %s; start it with: %s",
				strings.Join(places, " or "), want.site.Start(start))}
	}
	if want.broken == nil && !slices.Contains(u.why, errMute) && !slices.Contains(u.why, fs.ErrPermission) {
		u.words += "; none is known to run for " + describe(want.read) + ", start it with: " + start
	}
	return u
}

func describe(o configs.Origin) string {
	if o.File == "" {
		return "this environment"
	}
	return o.File
}

// meetPatience is how long it may take until somebody says who he is.
const meetPatience = 3 * time.Second

// meetAt asks who is at a place, without a word to strangers.
func meetAt(ctx context.Context, place string) (*met, error) {
	ctx, cancel := context.WithTimeout(ctx, meetPatience)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", place)
	if err != nil {
		return nil, err
	}
	if _, err := believe(conn.(*net.UnixConn), place); err != nil {
		conn.Close()
		return nil, err
	}
	m := &met{client: &http.Client{Transport: &http.Transport{
		DialContext: onlyConn(conn), MaxResponseHeaderBytes: 64 << 10, DisableCompression: true}}}
	err = m.say(ctx, meetPatience, http.MethodGet, "/config", &m.now)
	if err != nil {
		m.client.CloseIdleConnections()
		conn.Close()
	}
	return m, err
}

// onlyConn gives a connection once: nobody else is asked in its stead.
func onlyConn(conn net.Conn) func(context.Context, string, string) (net.Conn, error) {
	given := make(chan net.Conn, 1)
	given <- conn
	return func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-given:
			return c, nil
		default:
			return nil, net.ErrClosed
		}
	}
}

// InForce is the configuration that a running daemon uses.
type InForce struct {
	Config      string            `json:"config"`      // the file; empty if there is only the environment
	Digest      string            `json:"digest"`      // of what it held
	Environment map[string]string `json:"environment"` // digests of variables that say what is kept
	Token       string            `json:"token"`       // fingerprint
	Names       int               `json:"names"`
	PID         int               `json:"pid"`
}

// text says which configuration it is.
func (f InForce) text() string {
	file := f.Config
	if file == "" {
		file = "that of its environment"
	}
	return fmt.Sprintf("%q, %s, token %.16q", file, counted(f.Names, "name"), f.Token)
}

// same reports whether two daemons keep one configuration: a second of them
// would be one too many.
func (f InForce) same(other InForce) bool {
	return sameFile(f.Config, other.Config) && maps.Equal(f.Environment, other.Environment)
}

// differs says why what a daemon keeps is not the configuration that was asked
// for; "" if it is. A file that was changed is still the same, and so is a copy
// of the file that the daemon read. A command that names neither a file nor names
// means whatever runs here.
func differs(want configs.Origin, now InForce) string {
	copied := want.Digest != "" && want.Digest == now.Digest
	switch {
	case want.File != "" && !copied && !sameFile(want.File, now.Config),
		want.File == "" && now.Config != "" && want.KeepsByItself():
		return now.text()
	}
	for _, name := range slices.Sorted(maps.Keys(want.Environment)) {
		said, set := now.Environment[name]
		if set && said != want.Environment[name] || !set && want.File == "" && want.KeepsByItself() {
			return now.text() + ", and another " + name
		}
	}
	return ""
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	if absolute(a) == absolute(b) {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	real := func(path string) string {
		dir, err := filepath.EvalSymlinks(filepath.Dir(absolute(path)))
		if err != nil {
			return absolute(path)
		}
		return filepath.Join(dir, filepath.Base(path))
	}
	return real(a) == real(b)
}

// pending says what stands between a configuration and the daemon that keeps it.
func (w question) pending(now InForce) string {
	switch {
	case w.broken != nil:
		return strings.ReplaceAll(w.broken.Error(), "\n", "; ") + "; the daemon goes on with what it read before"
	case w.read.Digest != now.Digest && w.read.Digest != "":
		return fmt.Sprintf("%s was changed since the daemon read it: %s", w.read.File, w.site.Reload(now.PID))
	}
	return ""
}
