package sandbox

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// gatewayer is what a machine asks for its way out.
type gatewayer interface {
	ddns.World
	Gateway() (ddns.Gateway, error)
}

// asksRouter sends one datagram to a port of the router and returns what comes
// back, "" if nothing does.
func asksRouter(t *testing.T, world ddns.World, port, question string) string {
	t.Helper()
	conn, err := world.Dial(t.Context(), "udp4", "192.168.1.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, question); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

const search = "M-SEARCH * HTTP/1.1\r\nHOST: 192.168.1.1:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"

// overUPnP makes the SOAP call at the router.
func overUPnP(t *testing.T, world ddns.World, action string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: world.Dial, DisableKeepAlives: true}}
	request, err := http.NewRequest(http.MethodPost, "http://192.168.1.1:5000/ctl/IPConn", strings.NewReader("<x/>"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("SOAPAction", `"urn:schemas-upnp-org:service:WANIPConnection:1#`+action+`"`)
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func TestTheRouterNamesItsAddress(t *testing.T) {
	s, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := s.World()
	for _, c := range []struct {
		name, router string
		pmp, soap    string
	}{
		{"well", `{}`, "\x00\x80\x00\x00 -\x43\x59\x0a", "<NewExternalIPAddress>45.67.89.10<"},
		{"behind CGNAT", `{"cgnat":true}`, "\x00\x80\x00\x00 \x64\x40\x01\x02", "<NewExternalIPAddress>100.64.1.2<"},
		{"behind CGNAT, and silent about it", `{"cgnat":true,"empty":true}`, "\x00\x80\x00\x03 \x00\x00\x00\x00", "<NewExternalIPAddress><"},
		{"behind another router", `{"double_nat":true}`, "\x00\x80\x00\x00 \xc0\xa8\x00\x02", "<NewExternalIPAddress>192.168.0.2<"},
		{"with an old line", `{"wan":"45.67.99.99"}`, "\x00\x80\x00\x00 -\x43\x63\x63", "<NewExternalIPAddress>45.67.99.99<"},
		{"off", `{"off":true}`, "", "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			response, err := http.Post(s.Info().Control+"/router", "application/json", strings.NewReader(c.router))
			if err != nil || response.StatusCode != http.StatusOK {
				t.Fatal(response, err)
			}
			response.Body.Close()
			answer := asksRouter(t, w, "5351", "\x00\x00")
			if answer != "" {
				answer = answer[:4] + " " + answer[8:] // without the time since its start
			}
			if answer != c.pmp {
				t.Errorf("NAT-PMP: %q, want %q", answer, c.pmp)
			}
			if _, body := overUPnP(t, w, "GetExternalIPAddress"); !strings.Contains(body, c.soap) {
				t.Errorf("UPnP: %s, want %s", body, c.soap)
			}
		})
	}
	s.SetRouter(RouterState{})
	s.SetWAN(netip.Addr{}, netip.Addr{})
	if answer := asksRouter(t, w, "5351", "\x00\x00"); len(answer) != 12 || answer[3] != 3 {
		t.Errorf("without a line: %q", answer)
	}
	s.SetWAN(netip.MustParseAddr("45.67.90.77"), netip.Addr{})
	if answer := asksRouter(t, w, "5351", "\x00\x00"); !strings.HasSuffix(answer, "\x2d\x43\x5a\x4d") {
		t.Errorf("on a new line: %q", answer)
	}
}

func TestTheRouterRefusesWhatItShould(t *testing.T) {
	s, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := s.World()
	if got := asksRouter(t, w, "1900", search); !strings.Contains(got, "LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n") {
		t.Errorf("a search: %q", got)
	}
	for name, c := range map[string][3]string{
		"a mapping is refused":            {"5351", "\x00\x01\x00\x00\x00\x50\x00\x50\x00\x00\x0e\x10", "\x00\x81\x00\x02"},
		"PCP is too new for it":           {"5351", "\x02\x00", "\x00\x80\x00\x01"},
		"an answer is no question":        {"5351", "\x00\x80\x00\x00", ""},
		"a search for something else":     {"1900", strings.Replace(search, "InternetGatewayDevice", "MediaServer", 1), ""},
		"a search without what it is for": {"1900", strings.Replace(search, "MAN: \"ssdp:discover\"\r\n", "", 1), ""},
	} {
		if got := asksRouter(t, w, c[0], c[1]); !strings.HasPrefix(got, c[2]) || c[2] == "" && got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if status, body := overUPnP(t, w, "AddPortMapping"); status != http.StatusInternalServerError || !strings.Contains(body, "<errorCode>401<") {
		t.Errorf("a mapping: %d %s", status, body)
	}
	if conn, err := w.Dial(t.Context(), "tcp4", "192.168.1.1:80"); err == nil {
		conn.Close()
		t.Error("a port that nobody opened answers")
	}
	response, err := http.Post(s.Info().Control+"/router", "application/json", strings.NewReader(`{"wan":"2a01::1"}`))
	if err != nil || response.StatusCode != http.StatusBadRequest {
		t.Error(response, err)
	}
	response.Body.Close()
}

func TestTheWayOutIsKnownToTheHomeAlone(t *testing.T) {
	s, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	at, err := s.World().(gatewayer).Gateway()
	if want := (ddns.Gateway{Address: netip.MustParseAddr("192.168.1.1"), Local: netip.MustParseAddr("192.168.1.10")}); err != nil || at != want {
		t.Errorf("%+v, %v", at, err)
	}
	elsewhere := s.WorldFrom(netip.MustParseAddr("45.67.99.99"))
	if _, err := elsewhere.(gatewayer).Gateway(); err == nil {
		t.Error("another machine knows the home's router")
	}
	if conn, err := elsewhere.Dial(t.Context(), "tcp4", net.JoinHostPort("192.168.1.1", "5000")); err == nil {
		conn.Close()
		t.Error("another machine reaches the home's router")
	}
}
