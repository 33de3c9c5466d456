//go:build unix

package ipsource

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func TestCommandTakesOneAddress(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		family ddns.Family
		says   string // empty: home4
	}{
		{"the address", []string{"echo", "45.67.89.10"}, ddns.IPv4, ""},
		{"the address, without a line break", []string{"printf", "45.67.89.10"}, ddns.IPv4, ""},
		{"the family in its environment", []string{"sh", "-c", `test "$CFDDNS_FAMILY" = ipv4 && echo 45.67.89.10`}, ddns.IPv4, ""},
		{"nothing", []string{"true"}, ddns.IPv4, `true printed "", not an address`},
		{"two addresses", []string{"echo", "45.67.89.10", "45.67.89.11"}, ddns.IPv4, "not an address"},
		{"the other family", []string{"echo", "45.67.89.10"}, ddns.IPv6, "an ipv4 address, to a question over ipv6"},
		{"a failure that prints an address", []string{"sh", "-c", "echo 45.67.89.10; exit 3"}, ddns.IPv4, "exit status 3; run it by hand"},
		{"a program that is not there", []string{"/no/such/program"}, ddns.IPv4, "no such file"},
		{"output without an end", []string{"yes", "45.67.89.10"}, ddns.IPv4, "more than 64 bytes"},
		{"no shell", []string{"echo", "$(echo 45.67.89.10)"}, ddns.IPv4, "not an address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := command{args: c.args}.ask(within(t, time.Minute), nil, c.family)
			if c.says != "" {
				wantError(t, got, err, c.says)
			} else if got != home4 {
				t.Errorf("got %v, %v; want %s", got, err, home4)
			}
		})
	}
}

func TestCommandSeesNoToken(t *testing.T) {
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN_FILE", "CFDDNS_CLOUDFLARE_TOKEN", "CFDDNS_CLOUDFLARE_TOKEN_FILE", "CF_API_TOKEN", "CLOUDFLARE_API_KEY", "CREDENTIALS_DIRECTORY"} {
		t.Setenv(name, "secret")
	}
	t.Setenv("ROUTER_TOKEN", "its own")
	seen := filepath.Join(t.TempDir(), "env")
	run := command{args: []string{"sh", "-c", `env >"$0"; echo 45.67.89.10`, seen}}
	if _, err := run.ask(within(t, time.Minute), nil, ddns.IPv4); err != nil {
		t.Fatal(err)
	}
	environment, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(environment), "=secret") || !strings.Contains(string(environment), "ROUTER_TOKEN=its own") {
		t.Errorf("environment is\n%s", environment)
	}
}

func TestCommandIsKilledWithItsChildren(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	run := command{args: []string{"sh", "-c", `sleep 3600 & echo $! >"$0.new"; mv "$0.new" "$0"; wait`, pidFile}}
	ctx, end := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		defer end() // while the child runs, which holds the output open
		eventually(t, func() error {
			_, err := os.Stat(pidFile)
			return err
		})
	})
	got, err := run.ask(ctx, nil, ddns.IPv4)
	wantError(t, got, err, "sh was killed")
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { // killed; whoever adopts it may take a moment to notice
		if state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && !slices.Contains(strings.Fields(string(state)), "Z") {
			return syscall.EBUSY
		}
		return nil
	})
}

func FuzzCommandOutput(f *testing.F) {
	for _, seed := range []string{"45.67.89.10\n", "2a01:4f8::1", "ppp0: 45.67.89.10", "fe80::1%ppp0", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		for _, family := range ddns.Families {
			address, err := parseOutput(output, "program", family)
			if err != nil && address.IsValid() {
				t.Fatalf("%q: both %s and %v", output, address, err)
			}
			if err == nil && (ddns.FamilyOf(address) != family || address.Zone() != "" || address.Is4In6()) {
				t.Fatalf("%q: %s is no %s address", output, address, family)
			}
		}
	})
}
