package main

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// What cfddns sandbox writes serves the families that its home has. The person
// adds the types.
func TestTheWrittenConfigurationServesBothFamilies(t *testing.T) {
	home6 := netip.MustParseAddr("2a01:4f8:1:2::8")
	for _, c := range []struct {
		name string
		ipv6 netip.Addr
		code int
		says string
	}{
		{"a home with IPv6", home6, ddns.ExitRight, "home.example.com AAAA  new: 2a01:4f8:1:2::8"},
		{"a home without", netip.Addr{}, ddns.ExitUsage, "no source serves ipv6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := sandbox.Start(sandbox.Config{
				Zones: []sandbox.SeedZone{{Name: "example.com"}}, IPv6: c.ipv6, Listen: listen, ListenPacket: listenPacket,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			info := s.Info()
			info.CA = filepath.Join(t.TempDir(), "ca.pem")
			file := filepath.Join(t.TempDir(), "c.yaml")
			text := strings.Replace(string(info.Configuration()), "- name: home.example.com\n",
				"- {name: home.example.com, types: [A, AAAA], proxied: false}\n", 1)
			if err := errors.Join(os.WriteFile(info.CA, s.PEM(), 0o600), os.WriteFile(file, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			a := &app{stdout: &said, stderr: &said, clock: time.Now}
			root := a.root()
			root.SetArgs([]string{"once", "--config", file})
			err, code := root.ExecuteContext(t.Context()), 0
			if coded, ok := errors.AsType[*exitError](err); ok {
				code = coded.code
			}
			words := said.String()
			if err != nil {
				words += err.Error()
			}
			if code != c.code || !strings.Contains(words, c.says) {
				t.Errorf("exit %d, %v:\n%s", code, err, words)
			}
		})
	}
}
