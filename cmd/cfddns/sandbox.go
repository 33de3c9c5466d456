package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/files"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/spf13/cobra"
)

// sandboxFlags are those of `cfddns sandbox`.
type sandboxFlags struct {
	config      sandbox.Config
	zones       []string
	seed        string
	ca          string
	writeConfig string
	ipv4, ipv6  string
}

func (a *app) sandboxCommand() *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run the fake Cloudflare for anybody's client, on loopback",
		Long: `Runs a fake world on loopback until it is stopped: Cloudflare's API, its
nameservers and its edge, Duck DNS, and services that tell the home's address.
Any Cloudflare client works against it unmodified. When everything listens it
prints one line of JSON on standard output that says where.

The edge runs the zones' WAF rules, and takes whoever asks over loopback for the
home; the header "CF-Sandbox-Client: ADDRESS" names another client.

The control address changes the world (JSON over HTTP; GET / explains it):
  POST /wan {"ipv4":"45.67.90.77"}       the provider changes the address
  POST /duckdns {"up":false}             Duck DNS goes dark
  POST /security {"under_attack":true}   Under Attack mode
  POST /history {"minutes":[…]}          what the analytics remember
  POST /status {"incidents":[…]}         what Cloudflare's status service tells
  POST /faults {"on":"list","do":"500","times":3}
  DELETE /faults                         all is well again
  GET /world                             records, calls made, addresses`,
		Example: `  cfddns sandbox --zone example.com --write-config sandbox.yaml
  cfddns once --config sandbox.yaml
  cfddns sandbox --api-tls 127.0.0.1:443 --ca ca.pem   for /etc/hosts`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.sandbox(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.zones, "zone", nil, "`NAME` of a Free zone (default example.com)")
	flags.StringVar(&f.config.API, "api", "", "`ADDR` of the API over plain HTTP")
	flags.StringVar(&f.config.APITLS, "api-tls", "", "`ADDR` of the API over TLS, as api.cloudflare.com")
	flags.StringVar(&f.config.DNS, "dns", "", "`ADDR` of the nameservers, UDP and TCP")
	flags.StringVar(&f.config.Edge, "edge", "", "`ADDR` of the edge, HTTP and TLS on one port")
	flags.StringVar(&f.config.Control, "control", "", "`ADDR` of the control")
	flags.StringVar(&f.config.Token, "token", "", "the `TOKEN` that the API accepts (default: made)")
	flags.StringVar(&f.seed, "seed", "", "YAML `FILE` of zones and records to start with")
	flags.StringVar(&f.ca, "ca", "", "write the authority that signed everything to `FILE`")
	flags.StringVar(&f.writeConfig, "write-config", "", "write a configuration that uses this sandbox to `FILE`")
	flags.StringVar(&f.ipv4, "wan-ipv4", "", "the home's first `ADDRESS` (default 45.67.89.10)")
	flags.StringVar(&f.ipv6, "wan-ipv6", "", "the home's first IPv6 `ADDRESS` (default none)")
	for _, name := range []string{"seed", "ca", "write-config"} {
		_ = cmd.MarkFlagFilename(name)
	}
	return cmd
}

func (a *app) sandbox(ctx context.Context, f sandboxFlags) error {
	if err := f.complete(); err != nil {
		return exit(ddns.ExitUsage, err)
	}
	f.config.Listen, f.config.ListenPacket = listen, listenPacket
	s, err := sandbox.Start(f.config)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	defer s.Close()
	info := s.Info()
	flag := "--ca"
	if f.ca == "" && f.writeConfig != "" {
		f.ca, flag = f.writeConfig+".ca.pem", "--write-config"
	}
	if f.ca != "" {
		if info.CA, err = filepath.Abs(f.ca); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
		if err := files.Write(info.CA, s.PEM(), 0o644); err != nil {
			return exit(ddns.ExitUsage, fmt.Errorf("%s: %w", flag, err))
		}
	}
	if f.writeConfig != "" {
		if err := files.Write(f.writeConfig, info.Configuration(), 0o600); err != nil {
			return exit(ddns.ExitUsage, fmt.Errorf("--write-config: %w", err))
		}
	}
	if err := json.NewEncoder(a.stdout).Encode(info); err != nil {
		return exit(ddns.ExitUnexpected, err)
	}
	<-ctx.Done()
	return nil
}

// complete turns the flags into the configuration of the sandbox.
func (f *sandboxFlags) complete() error {
	for _, name := range f.zones {
		f.config.Zones = append(f.config.Zones, sandbox.SeedZone{Name: name})
	}
	if f.seed != "" {
		file, err := os.Open(f.seed)
		if err != nil {
			return fmt.Errorf("--seed: %w", err)
		}
		defer file.Close()
		zones, err := sandbox.LoadSeed(file)
		if err != nil {
			return fmt.Errorf("--seed %s: %w", f.seed, err)
		}
		f.config.Zones = append(f.config.Zones, zones...)
	}
	var err error
	if f.ipv4 != "" {
		if f.config.IPv4, err = netip.ParseAddr(f.ipv4); err != nil {
			return fmt.Errorf("--wan-ipv4: %w", err)
		}
	}
	if f.ipv6 != "" {
		if f.config.IPv6, err = netip.ParseAddr(f.ipv6); err != nil {
			return fmt.Errorf("--wan-ipv6: %w", err)
		}
	}
	return nil
}

// listen and listenPacket open the sandbox's sockets: whatever this program
// listens on is opened in this package.
func listen(network, address string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), network, address)
}

func listenPacket(network, address string) (net.PacketConn, error) {
	var config net.ListenConfig
	return config.ListenPacket(context.Background(), network, address)
}
