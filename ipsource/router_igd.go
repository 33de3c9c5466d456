package ipsource

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// igd asks a router by UPnP's Internet Gateway Device: one datagram finds its
// description, which names the URL where a SOAP call is answered with the
// address of the WAN side.
// https://openconnectivity.org/developer/specifications/upnp-resources/upnp/internet-gateway-device-igd-v-2-0/
//
// Whoever answers a search can name any URL. So the router alone is searched,
// by unicast, and every URL has to be a literal of its own address.
type igd struct {
	agent string // User-Agent
}

const (
	ssdpPort       = "1900"
	maxDescription = 64 << 10 // bytes
	maxSOAP        = 16 << 10
	maxServices    = 3 // a router with more WAN connections than that is asked for the first ones

	// searchTarget is answered by version 2 too, which contains version 1, and by
	// routers whose line is PPP.
	searchTarget = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
	// fritzControl is where every FRITZ!Box answers, whether or not it may be searched.
	fritzControl = "http://%s:49000/igdupnp/control/WANIPConn1"
)

// connectionTypes are the services that know the WAN address.
func connectionTypes() []string {
	return []string{
		"urn:schemas-upnp-org:service:WANIPConnection:1",
		"urn:schemas-upnp-org:service:WANIPConnection:2",
		"urn:schemas-upnp-org:service:WANPPPConnection:1",
	}
}

// ask finds the router's description and asks the services it lists.
func (g igd) ask(ctx context.Context, world ddns.World, router netip.Addr) (netip.Addr, error) {
	location, err := g.search(ctx, world, router)
	if err != nil {
		return netip.Addr{}, err
	}
	page, err := fetch(ctx, world, ddns.IPv4, fetching{url: location.String(), agent: g.agent, limit: maxDescription})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("its description: %w", err)
	}
	services, err := parseDescription(page.body, location)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("its description: %w", err)
	}
	return g.askServices(ctx, world, services)
}

// askFritzBox asks at the place where a FRITZ!Box answers without a search.
func (g igd) askFritzBox(ctx context.Context, world ddns.World, router netip.Addr) (netip.Addr, error) {
	control, err := url.Parse(fmt.Sprintf(fritzControl, router))
	if err != nil {
		return netip.Addr{}, err
	}
	return g.externalAddress(ctx, world, service{kind: connectionTypes()[0], control: control})
}

// askServices asks each service in turn: a router lists the lines it does not
// use as well.
func (g igd) askServices(ctx context.Context, world ddns.World, services []service) (netip.Addr, error) {
	var empty bool
	var failed error // in one line: it is shown in one
	for _, s := range services {
		address, err := g.externalAddress(ctx, world, s)
		switch {
		case err == nil:
			return address, nil
		case errors.Is(err, errNoWAN):
			empty = true
		case failed == nil:
			failed = err
		default:
			failed = fmt.Errorf("%w; %w", failed, err)
		}
	}
	if empty {
		return netip.Addr{}, errNoWAN
	}
	return netip.Addr{}, failed
}

// search asks the router by SSDP where its description is.
func (g igd) search(ctx context.Context, world ddns.World, router netip.Addr) (*url.URL, error) {
	at := net.JoinHostPort(router.String(), ssdpPort)
	conn, err := world.Dial(ctx, "udp4", at)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// MX is for multicast alone, and some routers answer nothing without it.
	question := "M-SEARCH * HTTP/1.1\r\nHOST: " + at + "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: " + searchTarget + "\r\n\r\n"
	answer, err := exchange(ctx, conn, []byte(question), func(b []byte) bool {
		_, err := parseSearchAnswer(b, router)
		return err == nil || !errors.Is(err, errNotSSDP)
	})
	if err != nil {
		return nil, err
	}
	return parseSearchAnswer(answer, router)
}

// errNotSSDP says that a datagram is no answer to a search at all.
var errNotSSDP = errors.New("answered no SSDP")

// parseSearchAnswer takes the place of the description from the answer to a search.
func parseSearchAnswer(b []byte, router netip.Addr) (*url.URL, error) {
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		return nil, errNotSSDP
	}
	defer answer.Body.Close()
	location := answer.Header.Get("Location")
	if answer.StatusCode != http.StatusOK || location == "" {
		return nil, errNotSSDP
	}
	return ofRouter(location, router)
}

// ofRouter reads a URL that has to lead to the router itself.
func ofRouter(text string, router netip.Addr) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("answered a place of its description that is no URL: %.80q", text)
	}
	host, err := netip.ParseAddr(u.Hostname())
	if err != nil || host != router || u.Scheme != "http" || u.User != nil {
		return nil, fmt.Errorf("answered that its description is at %.80q, which is not the router: not followed", text)
	}
	return u, nil
}

// service is a WAN connection of the router.
type service struct {
	kind    string
	control *url.URL
}

// parseDescription lists the WAN connections that a description names, in its order.
func parseDescription(doc []byte, location *url.URL) ([]service, error) {
	var services []service
	var kind, control string
	err := scanXML(doc, func(name, text string) error {
		switch name {
		case "serviceType":
			kind = text
		case "controlURL":
			control = text
		case "service":
			if slices.Contains(connectionTypes(), kind) && len(services) < maxServices {
				at, err := location.Parse(control)
				if err != nil || control == "" || at.Scheme != "http" || at.Host != location.Host || at.User != nil {
					return fmt.Errorf("its service is at %.80q, which is not the router: not followed", control)
				}
				services = append(services, service{kind, at})
			}
			kind, control = "", ""
		}
		return nil
	})
	if err == nil && len(services) == 0 {
		err = errors.New("it lists no WAN connection")
	}
	if err != nil {
		return nil, err
	}
	return services, nil
}

// externalAddress makes the SOAP call GetExternalIPAddress.
func (g igd) externalAddress(ctx context.Context, world ddns.World, s service) (netip.Addr, error) {
	body := `<?xml version="1.0"?>` + "\r\n" +
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">` +
		`<s:Body><u:GetExternalIPAddress xmlns:u="` + s.kind + `"></u:GetExternalIPAddress></s:Body></s:Envelope>` + "\r\n"
	answer, err := fetch(ctx, world, ddns.IPv4, fetching{url: s.control.String(), agent: g.agent, limit: maxSOAP,
		kind: `text/xml; charset="utf-8"`, soap: `"` + s.kind + `#GetExternalIPAddress"`, body: []byte(body)})
	if err != nil {
		return netip.Addr{}, err
	}
	return parseExternalAddress(answer.body)
}

// parseExternalAddress takes the address from the answer to the call. An empty
// one is errNoWAN: a router behind another or behind CGNAT answers so.
func parseExternalAddress(doc []byte) (netip.Addr, error) {
	var said []string
	err := scanXML(doc, func(name, text string) error {
		if name == "NewExternalIPAddress" {
			said = append(said, strings.Trim(text, " \t\r\n"))
		}
		return nil
	})
	switch {
	case err != nil:
		return netip.Addr{}, err
	case len(said) != 1:
		return netip.Addr{}, fmt.Errorf("answered %d addresses instead of one", len(said))
	case said[0] == "":
		return netip.Addr{}, errNoWAN
	}
	address, err := netip.ParseAddr(said[0])
	if err != nil {
		return netip.Addr{}, fmt.Errorf("answered %.40q, not an address", said[0])
	}
	return namedByRouter(address)
}
