package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/needs"
)

// A hookCall is one call of a hook, as its caller makes it.
type hookCall struct {
	hook  string
	what  string
	args  []string
	env   []string
	poked bool
}

// hookCalls are the calls that dhclient-script(8), dhcpcd-run-hooks(8),
// NetworkManager-dispatcher(8), pppd(8), networkd-dispatcher and OpenWrt's
// netifd make.
func hookCalls() []hookCall {
	lease := func(reason, was, is string) []string {
		return []string{"reason=" + reason, "interface=eth0", "old_ip_address=" + was, "new_ip_address=" + is}
	}
	lease6 := func(reason, was, is string) []string {
		return []string{"reason=" + reason, "old_ip6_address=" + was, "new_ip6_address=" + is, "old_dhcp6_ia_na1_ia_addr1=" + was, "new_dhcp6_ia_na1_ia_addr1=" + is}
	}
	prefix := func(reason, was, is string) []string {
		return []string{"reason=" + reason, "old_ip6_prefix=" + was, "new_ip6_prefix=" + is, "old_dhcp6_ia_pd1_prefix1=" + was, "new_dhcp6_ia_pd1_prefix1=" + is}
	}
	const a, b, a6, b6 = "45.67.89.10", "45.67.90.77", "2a01:4f8:1:2::10", "2a01:4f8:9:2::10"
	calls := []hookCall{
		{"pppd", "a connection", []string{"ppp0", "/dev/pts/0", "0", a, "10.0.0.1", ""}, nil, true},
		{"networkd-dispatcher", "an interface is routable", nil, []string{"IFACE=eth0", "STATE=routable"}, true},
		{"networkd-dispatcher", "an interface is degraded", nil, []string{"IFACE=eth0", "STATE=degraded"}, false},
		{"networkmanager", "an interface is up", []string{"eth0", "up"}, []string{"DHCP4_IP_ADDRESS=" + a}, true},
		{"networkmanager", "an interface goes down", []string{"eth0", "down"}, nil, false},
		{"networkmanager", "the host name changed", []string{"none", "hostname"}, nil, false},
		{"networkmanager", "the connectivity changed", []string{"", "connectivity-change"}, nil, false},
		{"openwrt", "the line is up", nil, []string{"ACTION=ifup", "INTERFACE=wan", "DEVICE=pppoe-wan"}, true},
		{"openwrt", "the line has another address", nil, []string{"ACTION=ifupdate", "INTERFACE=wan", "IFUPDATE_ADDRESSES=1"}, true},
		{"openwrt", "the line has another prefix", nil, []string{"ACTION=ifupdate", "INTERFACE=wan6", "IFUPDATE_PREFIXES=1"}, true},
		{"openwrt", "the line has other data", nil, []string{"ACTION=ifupdate", "INTERFACE=wan", "IFUPDATE_DATA=1"}, false},
		{"openwrt", "the line is down", nil, []string{"ACTION=ifdown", "INTERFACE=wan"}, false},
		{"openwrt", "the home's own network is up", nil, []string{"ACTION=ifup", "INTERFACE=lan"}, false},
	}
	for _, hook := range []string{"dhclient", "dhcpcd"} {
		calls = append(calls,
			hookCall{hook, "a lease", nil, lease("BOUND", "", a), true},
			hookCall{hook, "a lease after a boot", nil, lease("REBOOT", a, a), true},
			hookCall{hook, "a lease that was prolonged", nil, lease("RENEW", a, a), false},
			hookCall{hook, "a lease that was prolonged with another address", nil, lease("RENEW", a, b), true},
			hookCall{hook, "another server prolonged the lease", nil, lease("REBIND", a, a), false},
			hookCall{hook, "another server gave another address", nil, lease("REBIND", a, b), true},
			hookCall{hook, "a lease that ended", nil, lease("EXPIRE", a, ""), false},
			hookCall{hook, "a lease that was given back", nil, lease("RELEASE", a, ""), false},
			hookCall{hook, "no lease yet", nil, lease("PREINIT", "", ""), false},
			hookCall{hook, "an IPv6 lease", nil, lease6("BOUND6", "", a6), true},
			hookCall{hook, "an IPv6 lease that was prolonged", nil, lease6("RENEW6", a6, a6), false},
			hookCall{hook, "an IPv6 lease with another address", nil, lease6("REBIND6", a6, b6), true},
			hookCall{hook, "an IPv6 prefix that was prolonged", nil, prefix("RENEW6", "2a01:4f8:1::/56", "2a01:4f8:1::/56"), false},
			hookCall{hook, "another IPv6 prefix", nil, prefix("RENEW6", "2a01:4f8:1::/56", "2a01:4f8:9::/56"), true},
		)
	}
	return append(calls,
		hookCall{"dhcpcd", "a delegated prefix", nil, prefix("DELEGATED6", "", "2a01:4f8:1::"), true},
		hookCall{"dhcpcd", "a router's announcement, of which there is one every few minutes", nil, []string{"reason=ROUTERADVERT"}, false})
}

// sourced are the hooks that their callers read into themselves.
var sourced = map[string]bool{"dhclient": true, "dhcpcd": true, "openwrt": true}

func TestHooksPokeForWhatIsNew(t *testing.T) {
	inEachShell(t, func(t *testing.T, shell []string) {
		for _, c := range hookCalls() {
			t.Run(c.hook+"/"+c.what, func(t *testing.T) {
				if got := c.run(t, shell, t.TempDir()); (got == "poke --quiet\n") != c.poked || !c.poked && got != "" {
					t.Errorf("called %q, want poked %t", got, c.poked)
				}
			})
		}
	})
}

// NetworkManager says that a lease changed when it was prolonged, too.
func TestTheHookOfNetworkManagerRemembersTheLease(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []struct {
		action, address string
		poked           bool
	}{
		{"up", "45.67.89.10", true}, {"dhcp4-change", "45.67.89.10", false}, {"dhcp4-change", "45.67.90.77", true},
		{"dhcp4-change", "45.67.90.77", false}, {"dhcp6-change", "45.67.90.77", false}, {"up", "45.67.90.77", true},
	} {
		c := hookCall{hook: "networkmanager", args: []string{"eth0", step.action}, env: []string{"DHCP4_IP_ADDRESS=" + step.address}}
		if got := c.run(t, []string{"sh"}, dir); (got != "") != step.poked {
			t.Errorf("%s with %s: called %q, want poked %t", step.action, step.address, got, step.poked)
		}
	}
}

func TestEveryHookIsReadByEveryShell(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range hookCalls() {
		tested[c.hook] = true
	}
	for _, file := range hookFiles(t) {
		if !tested[filepath.Base(file)] {
			t.Errorf("no test calls %s", file)
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode()&0o111 == 0 != sourced[filepath.Base(file)] {
			t.Errorf("%s: mode %v, %v", file, info.Mode(), err)
		}
	}
	inEachShell(t, func(t *testing.T, shell []string) {
		for _, file := range hookFiles(t) {
			if output, err := needs.Command(t, shell[0], append(shell[1:], "-n", file)...).CombinedOutput(); err != nil {
				t.Errorf("%v -n %s: %v: %s", shell, file, err, output)
			}
		}
	})
}

const hooksDir = "../../systemd/hooks"

// hookFiles are the hooks that are scripts.
func hookFiles(t *testing.T) (files []string) {
	t.Helper()
	all, err := filepath.Glob(hooksDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if filepath.Ext(file) == "" {
			files = append(files, file)
		}
	}
	return files
}

// inEachShell tests with those that run hooks: the system's, and OpenWrt's.
func inEachShell(t *testing.T, test func(t *testing.T, shell []string)) {
	for _, shell := range [][]string{{"sh"}, {"bash"}, {"busybox", "sh"}} {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			needs.Program(t, shell[0])
			test(t, shell)
		})
	}
}

// run makes the call, and returns with what the hook called cfddns. What a hook
// leaves running holds the pipe open, so that reading it to its end waits for it.
func (c hookCall) run(t *testing.T, shell []string, dir string) string {
	t.Helper()
	hook, err := filepath.Abs(filepath.Join(hooksDir, c.hook))
	if err != nil {
		t.Fatal(err)
	}
	stub := t.TempDir()
	if err := os.WriteFile(filepath.Join(stub, "cfddns"), []byte("#!/bin/sh\necho \"$*\" >&3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	args := append(shell[1:], hook)
	if sourced[c.hook] {
		args = append(shell[1:], "-c", `. "$0"`, hook)
	}
	called, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer called.Close()
	cmd := needs.Command(t, shell[0], append(args, c.args...)...)
	cmd.Env = append([]string{"PATH=" + stub + ":" + os.Getenv("PATH"), "CFDDNS_HOOK_DIR=" + dir}, c.env...)
	cmd.ExtraFiles = []*os.File{write}
	output, err := cmd.CombinedOutput()
	write.Close()
	if err != nil || len(output) > 0 {
		t.Errorf("the hook ended with %v, and printed %q", err, output)
	}
	all, err := io.ReadAll(called)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}
