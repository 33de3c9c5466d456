// Package configs reads the configuration: a file, the environment, or both.
//
// A person writes few words and must learn at once, and completely, which of
// them are wrong. So the loader is strict. It knows every key by its place in
// the type Config, and everything else follows from that type: which keys a
// file may hold, which environment variables exist (CFDDNS_ and the path in
// capitals), and which kind of value belongs where. A value that cannot be
// right is an error that names file, line and key and says what would be
// right; all errors come at once.
//
// Only what the file alone can show is an error here. Whether a zone exists,
// a token is good or the internet can be reached is found out later, by a
// program that already runs.
package configs

import (
	"log/slog"
	"slices"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Config is the whole configuration. The tags are the keys; reference.yaml
// explains each of them to the person who writes them.
type Config struct {
	Cloudflare Cloudflare    `mapstructure:"cloudflare"`
	Resolver   []string      `mapstructure:"resolver"`  // HOST:PORT, or the URL of one over HTTPS; none: the system's
	TLSRoots   string        `mapstructure:"tls_roots"` // PEM file trusted beside the system's roots; "" is none
	Defaults   Defaults      `mapstructure:"defaults"`
	Records    []Record      `mapstructure:"records"`
	IP         IP            `mapstructure:"ip"`
	Owner      string        `mapstructure:"owner"`    // mark of our records; "" is none
	Schedule   Schedule      `mapstructure:"schedule"` // of full rounds, 10 s apart or more
	Probe      time.Duration `mapstructure:"probe"`    // between two cheap questions, 5 s to 10 min; 0 asks none
	Verify     time.Duration `mapstructure:"verify"`   // patience for the proof, 0 to 60 s
	State      string        `mapstructure:"state"`    // directory; "" keeps everything in memory
	Control    string        `mapstructure:"control"`  // path of the socket; "" lets the program choose
	Log        Log           `mapstructure:"log"`
	Notify     Notify        `mapstructure:"notify"`
	WAF        WAF           `mapstructure:"waf"`
	Push       Push          `mapstructure:"push"`

	// ByVariable is set if CFDDNS_RECORDS lists the records, not the file.
	ByVariable bool `mapstructure:"-"`
	// Read is where it was read, which no key of it says.
	Read Origin `mapstructure:"-"`
}

// Cloudflare is where the API, the nameservers and the edge are, and how
// often they are asked.
type Cloudflare struct {
	TokenFile   string        `mapstructure:"token_file"`
	Token       ddns.Secret   `mapstructure:"token"` // see Token, which looks in all places
	Recheck     time.Duration `mapstructure:"recheck"`
	Drill       time.Duration `mapstructure:"drill"`       // 0 switches it off
	API         string        `mapstructure:"api"`         // URL without a final slash
	NameServers []string      `mapstructure:"nameservers"` // HOST:PORT; none means the zone's own
	Edge        string        `mapstructure:"edge"`        // HOST:PORT; "" means the addresses that DNS gives
}

// Defaults is what holds for the records that do not say it themselves.
type Defaults struct {
	Types   []string  `mapstructure:"types"`
	Proxied ddns.Keep `mapstructure:"proxied"`
	TTL     TTL       `mapstructure:"ttl"`
}

// usual reports whether the defaults are those of somebody who wrote none.
func (d Defaults) usual() bool {
	return slices.Equal(d.Types, Default().Defaults.Types) && d.Proxied == ddns.KeepIt && d.TTL == 0
}

// Record is one entry of the list of names. Nil is not said: the defaults hold.
type Record struct {
	Name    string     `mapstructure:"name"` // as written; Targets normalises it
	Types   []string   `mapstructure:"types"`
	Proxied *ddns.Keep `mapstructure:"proxied"`
	TTL     *TTL       `mapstructure:"ttl"`
	OnCNAME string     `mapstructure:"on_cname"` // "refuse" or "replace"
	Check   string     `mapstructure:"check"`    // "auto", "off" or a URL
	Extra   string     `mapstructure:"extra"`    // "keep" or "delete"
}

// proxied and ttl are what holds for the record, whoever says it.
func (r Record) proxied(d Defaults) ddns.Keep { return said(r.Proxied, d.Proxied) }
func (r Record) ttl(d Defaults) TTL           { return said(r.TTL, d.TTL) }

func said[T any](own *T, otherwise T) T {
	if own == nil {
		return otherwise
	}
	return *own
}

// TTL is a time to live in seconds. 0 keeps what stands; 1 is "auto", as in
// Cloudflare's API.
type TTL int

// IP is how the address is learnt.
type IP struct {
	Sources []Source      `mapstructure:"sources"`
	Quorum  Quorum        `mapstructure:"quorum"`
	Timeout time.Duration `mapstructure:"timeout"` // of a round, 1 s to 30 s
	Bind    string        `mapstructure:"bind"`    // interface or address of this machine; "" is any
	CGNAT   string        `mapstructure:"cgnat"`   // "hold" or "publish"
}

// Quorum is how many operators must agree. 0 is a majority of them.
type Quorum int

// Source is one way to learn the address: a Name from the catalogue, which is
// written as a plain word, or exactly one of the other kinds.
type Source struct {
	Name      string     `mapstructure:"-"`
	HTTPS     string     `mapstructure:"https"`
	DNS       *DNSSource `mapstructure:"dns"`
	STUN      string     `mapstructure:"stun"` // HOST:PORT
	Command   []string   `mapstructure:"command"`
	Interface string     `mapstructure:"interface"`
	Router    string     `mapstructure:"router"`   // "auto"
	Operator  string     `mapstructure:"operator"` // whose voice it is
}

// DNSSource is a question to a DNS server whose answer is our address.
type DNSSource struct {
	Server string `mapstructure:"server"` // HOST:PORT
	Name   string `mapstructure:"name"`
	Type   string `mapstructure:"type"`
	Class  string `mapstructure:"class"`
}

// Log is what is written about the rounds.
type Log struct {
	Level  slog.Level `mapstructure:"level"`
	Format string     `mapstructure:"format"` // "auto", "text" or "json"
}

// Notify is who is told.
type Notify struct {
	Command  []string    `mapstructure:"command"`
	OnChange []string    `mapstructure:"on_change"`
	Ping     ddns.Secret `mapstructure:"ping"` // a URL, and whoever knows it can ping in our name
}

// Default returns the configuration of somebody who wrote nothing. It holds
// no record and no token.
func Default() Config {
	every20m, _ := ParseSchedule("@every 20m")
	return Config{
		Cloudflare: Cloudflare{
			Recheck: time.Hour,
			Drill:   30 * day,
			API:     "https://api.cloudflare.com/client/v4",
		},
		Defaults: Defaults{Types: []string{"A"}},
		IP:       IP{Sources: []Source{{Name: "default"}}, Timeout: 4 * time.Second, CGNAT: "hold"},
		Schedule: every20m,
		Probe:    15 * time.Second,
		Verify:   10 * time.Second,
		Log:      Log{Level: slog.LevelInfo, Format: "auto"},
		Push:     Push{User: "cfddns"},
	}
}

// completed returns the record with what holds for the keys left out, but for
// those that mean something by being left out.
func (r Record) completed(d Defaults) Record {
	if r.Types == nil {
		r.Types = d.Types
	}
	if r.OnCNAME == "" {
		r.OnCNAME = "refuse"
	}
	if r.Check == "" {
		r.Check = "auto"
	}
	if r.Extra == "" {
		r.Extra = "keep"
	}
	return r
}

// Targets returns what the records want, one target for each name and type,
// sorted by name and type. A loaded configuration holds good names only.
func (c Config) Targets() []ddns.Target {
	var targets []ddns.Target
	for _, r := range c.Records {
		name, err := domainName(r.Name)
		if err != nil {
			continue // Load refuses such a name
		}
		for _, t := range r.Types {
			targets = append(targets, ddns.Target{
				Name:        name,
				Shown:       r.Name,
				Type:        t,
				Proxied:     r.proxied(c.Defaults),
				TTL:         int(r.ttl(c.Defaults)),
				ReplaceHop:  r.OnCNAME == "replace",
				DeleteExtra: r.Extra == "delete",
				Check:       r.Check,
				ByVariable:  c.ByVariable,
			})
		}
	}
	return slices.Clip(ddns.SortTargets(targets))
}

// NeedRecords returns the error of a command that keeps names, or ways in, and
// has none.
// Load accepts such a configuration, since other commands do without.
func (c Config) NeedRecords() error {
	if len(c.Records) > 0 || len(c.WAF.Allow) > 0 {
		return nil
	}
	return Problem{Key: "records", Text: "there is no name to keep; list one, `records: [{name: home.example.com}]`, or set CFDDNS_RECORDS=home.example.com"}
}
