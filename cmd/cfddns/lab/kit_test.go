//go:build linux

package lab

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// The addresses of the laboratory.
const (
	labHome  = "45.67.89.10" // the home's, unless a scenario says otherwise
	labOld   = "45.67.89.1"  // an address that the home had
	labMoved = "45.67.90.77" // where it moves to
	labOther = "45.67.99.99" // somebody else's
	labHome6 = "2a01:4f8:1:2::10"
)

// labName is the name that is kept.
const labName = "home.example.com"

// lab is one fresh world, and the programs that run in it.
type lab struct {
	*testing.T
	world *sandbox.Sandbox
	gate  *gateway
	dir   string        // HOME, and where the programs start
	env   []string      // of the programs
	look  time.Duration // between two looks of within

	mu   sync.Mutex // guards said
	said []*voice   // all that programs printed
}

// newLab makes a world that can be reached.
func newLab(t *testing.T, c sandbox.Config) *lab {
	t.Helper()
	l := newDarkLab(t, c)
	l.gate.start()
	return l
}

// newDarkLab makes a world that cannot be reached yet: no name resolves, and
// nobody listens.
func newDarkLab(t *testing.T, c sandbox.Config) *lab {
	t.Helper()
	if os.Getenv(labProgram) == "" {
		t.Fatal("this runs in the namespaces of TestLab only")
	}
	mustRun(t, "ip link set lo up")
	c.Token = labToken
	world, err := sandbox.Start(c)
	must(t, err)
	t.Cleanup(world.Close)
	l := &lab{T: t, world: world, look: 5 * time.Millisecond, dir: t.TempDir(), gate: newGateway(t, world.World(), c.IPv6.IsValid())}
	l.gate.silence()
	l.gate.resolve(false)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	must(t, os.WriteFile(roots, world.PEM(), 0o644))
	l.env = []string{"HOME=" + l.dir, "PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + roots,
		"CLOUDFLARE_API_TOKEN=" + labToken, "CFDDNS_RECORDS=" + labName}
	t.Cleanup(l.noToken)
	return l
}

// noToken fails if the token shows in anything that was printed or written.
func (l *lab) noToken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.said {
		if strings.Contains(v.String(), labToken) {
			l.Errorf("a program printed the token: %s", v)
		}
	}
	must(l.T, filepath.WalkDir(l.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(labToken)) {
			l.Errorf("%s holds the token", path)
		}
		return err
	}))
}

// set adds to the environment of the programs that are started from now on.
func (l *lab) set(name, value string) { l.env = append(l.env, name+"="+value) }

// stateDir gives the programs a directory to remember in.
func (l *lab) stateDir() string {
	dir := filepath.Join(l.dir, "state")
	l.set("CFDDNS_STATE", dir)
	return dir
}

// configure writes a configuration file and has the programs use it alone.
func (l *lab) configure(text string) {
	l.Helper()
	path := filepath.Join(l.dir, "cfddns.yaml")
	must(l.T, os.WriteFile(path, []byte(text), 0o600))
	l.set("CFDDNS_RECORDS", "")
	l.set("CFDDNS_CONFIG", path)
}

// once makes one round, and returns it.
func (l *lab) once(want int) ddns.Report {
	l.Helper()
	p := l.run(want, "once", "--output", "json")
	var report ddns.Report
	if err := json.Unmarshal([]byte(p.stdout.String()), &report); err != nil {
		l.Fatalf("the round is no JSON: %v\n%s", err, p.stdout)
	}
	return report
}

// daemon starts the daemon, which tells all it can, and waits until its first
// round ended well.
func (l *lab) daemon() *program {
	l.Helper()
	d := l.start("run", "--log-level", "debug")
	l.within(20*time.Second, "the first round is right", func() bool { return l.holds(labName, labHome) && l.proved() == 1 })
	return d
}

// poke asks the daemon for a round.
func (l *lab) poke() {
	l.Helper()
	l.run(0, "poke")
}

// standing is what `cfddns status` says of the daemon, as far as a scenario asks.
type standing struct {
	Rounds  int          `json:"rounds"`
	Running bool         `json:"running"` // a round is under way
	Next    time.Time    `json:"next"`    // when the next one is due by schedule
	Proved  int          `json:"proved"`
	Round   *ddns.Report `json:"round"` // the last one; nil before the first has ended
}

// status is how the daemon stands.
func (l *lab) status() (report standing) {
	l.Helper()
	p := l.start("status", "--output", "json")
	<-p.ended
	_ = json.Unmarshal([]byte(p.stdout.String()), &report) // the zero report, if nobody answers yet
	return report
}

func (l *lab) proved() int { return l.status().Proved }

// busy is how much longer all may take on a machine that is busy. Nothing here
// that comes by another way comes so late: a schedule counts minutes.
const busy = 4

// within waits until something is so, and returns how long that took. It
// fails if it is not so in time.
func (l *lab) within(most time.Duration, what string, so func() bool) time.Duration {
	l.Helper()
	began := time.Now()
	look := time.NewTicker(l.look)
	defer look.Stop()
	for range look.C {
		switch took := time.Since(began); {
		case so():
			return took
		case took > busy*most:
			l.Fatalf("not within %s: %s", busy*most, what)
		}
	}
	return 0
}

// during lets time pass, in which something must stay so.
func (l *lab) during(d time.Duration, what string, so func() bool) {
	l.Helper()
	over := time.After(d)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-over:
			return
		case <-look.C:
			if !so() {
				l.Fatalf("no longer so: %s", what)
			}
		}
	}
}

// record is a DNS record as the API shows it.
type record map[string]any

// api makes one call, as the zone's owner would in the dashboard.
func (l *lab) api(method, path string, body any) (result json.RawMessage) {
	l.Helper()
	return l.http(method, l.world.Info().API+path, body, true)
}

// control changes the world.
func (l *lab) control(path string, body any) {
	l.Helper()
	l.http(http.MethodPost, l.world.Info().Control+path, body, false)
}

func (l *lab) http(method, url string, body any, envelope bool) (result json.RawMessage) {
	l.Helper()
	text, err := json.Marshal(body)
	must(l.T, err)
	request, err := http.NewRequest(method, url, bytes.NewReader(text))
	must(l.T, err)
	request.Header.Set("Authorization", "Bearer "+labToken)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	must(l.T, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	must(l.T, err)
	if response.StatusCode != http.StatusOK {
		l.Fatalf("%s %s: %s: %s", method, url, response.Status, answer)
	}
	if !envelope {
		return answer
	}
	var e struct{ Result json.RawMessage }
	must(l.T, json.Unmarshal(answer, &e))
	return e.Result
}

// records are those at a name, of all types. They are read from the world
// itself: faults of the API do not hinder it, and no call is counted.
func (l *lab) records(name string) (at []record) {
	l.Helper()
	var world struct{ Records map[string][]record }
	must(l.T, json.Unmarshal(l.http(http.MethodGet, l.world.Info().Control+"/world", nil, false), &world))
	for _, zone := range world.Records {
		for _, r := range zone {
			if r["name"] == name {
				at = append(at, r)
			}
		}
	}
	return at
}

// holds reports whether exactly one record stands at a name, and holds that.
func (l *lab) holds(name, content string) bool {
	l.Helper()
	at := l.records(name)
	return len(at) == 1 && at[0]["content"] == content
}

// wantHolds fails unless exactly one record stands at a name, and holds that.
func (l *lab) wantHolds(name, content string) {
	l.Helper()
	if !l.holds(name, content) {
		l.Fatalf("%s: want one record, %s, and there is: %v", name, content, l.records(name))
	}
}

// edit changes a record behind the program's back.
func (l *lab) edit(r record, fields record) {
	l.Helper()
	l.api(http.MethodPatch, l.dnsRecords()+"/"+r["id"].(string), fields)
}

// create makes a record behind the program's back.
func (l *lab) create(fields record) record {
	l.Helper()
	var made record
	must(l.T, json.Unmarshal(l.api(http.MethodPost, l.dnsRecords(), fields), &made))
	return made
}

// clear deletes what is at a name.
func (l *lab) clear(name string) {
	l.Helper()
	for _, r := range l.records(name) {
		l.api(http.MethodDelete, l.dnsRecords()+"/"+r["id"].(string), nil)
	}
}

func (l *lab) dnsRecords() string { return "/zones/" + l.world.Info().Zones[0].ID + "/dns_records" }

// calls is how many calls the API was sent; writes, how many of them could change a record.
func (l *lab) calls() (calls, writes int) {
	for effect, n := range l.world.Calls() {
		calls += n
		switch effect {
		case "create", "edit", "delete", "batch":
			writes += n
		}
	}
	return calls, writes
}

// fault makes services misbehave: "echo:amazon portal", "api 429 6".
func (l *lab) fault(faults ...string) {
	l.Helper()
	for _, f := range faults {
		words := append(strings.Fields(f), "")
		l.control("/faults", sandbox.Fault{On: words[0], Do: words[1], Value: words[2]})
	}
}

// zoneWith is a world of one Free zone with some records.
func zoneWith(records ...sandbox.SeedRecord) sandbox.Config {
	return sandbox.Config{Zones: []sandbox.SeedZone{{Name: "example.com", Records: records}}}
}

// has reports whether a round raised a condition, and returns it.
func has(r ddns.Report, code ddns.Code) (ddns.Condition, bool) {
	for _, c := range r.Conditions {
		if c.Code == code {
			return c, true
		}
	}
	return ddns.Condition{}, false
}
