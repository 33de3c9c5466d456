package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// The home's router. It names the address of its WAN side over NAT-PMP
// (RFC 6886) and over UPnP's Internet Gateway Device, answers searches by
// unicast alone, and opens no port for anybody. What it says where it has no
// address to name is what miniupnpd 2.3 says: result 3, and an empty element.

// The home's LAN, as its machine sees it. The router's ports are those of the
// protocols, and one for its description.
const (
	routerAddress = "192.168.1.1"
	routerWeb     = "5000"

	placePMP  = "router-natpmp"
	placeSSDP = "router-ssdp"
	placeIGD  = "router-igd"
)

// RouterState is how the home's router stands. The zero state is a router that
// holds the home's public address and names it.
type RouterState struct {
	// CGNAT: the provider translates, and the router's line has 100.64.1.2.
	CGNAT bool `json:"cgnat"`
	// DoubleNAT: another router stands before it, and its line has 192.168.0.2.
	DoubleNAT bool `json:"double_nat"`
	// Off: it answers neither protocol.
	Off bool `json:"off"`
	// Empty: it answers, and names no address. Many do so behind CGNAT.
	Empty bool `json:"empty"`
	// WAN is another address for it to name, such as one of a line that failed;
	// "" is the right one.
	WAN netip.Addr `json:"wan"`
}

// homeRouter is the router's state.
type homeRouter struct {
	mu    sync.Mutex
	state RouterState
}

// SetRouter changes how the home's router stands.
func (s *Sandbox) SetRouter(state RouterState) {
	s.router.mu.Lock()
	defer s.router.mu.Unlock()
	s.router.state = state
}

// Router returns how the home's router stands.
func (s *Sandbox) Router() RouterState {
	s.router.mu.Lock()
	defer s.router.mu.Unlock()
	return s.router.state
}

func (s *Sandbox) orderRouter(state RouterState) error {
	if state.WAN.IsValid() && !state.WAN.Is4() {
		return fmt.Errorf("wan: %s is no IPv4 address", state.WAN)
	}
	s.SetRouter(state)
	return nil
}

// named is the address that the router names; zero if it names none.
func (s *Sandbox) named() netip.Addr {
	state, wan := s.Router(), s.wan(ipv4)
	switch {
	case state.Empty || !wan.IsValid():
		return netip.Addr{}
	case state.WAN.IsValid():
		return state.WAN
	case state.CGNAT:
		return netip.AddrFrom4([4]byte{100, 64, 1, 2})
	case state.DoubleNAT:
		return netip.AddrFrom4([4]byte{192, 168, 0, 2})
	}
	return wan
}

// startRouter opens the router's sockets.
func (s *Sandbox) startRouter() error {
	for place, answer := range map[string]func([]byte) []byte{placePMP: s.answerPMP, placeSSDP: s.answerSearch} {
		packets, err := s.listenPacket("")
		if err != nil {
			return err
		}
		s.places.put(place, map[family]string{ipv4: packets.LocalAddr().String()})
		s.serve(func() { s.runRouter(packets, answer) })
	}
	web, err := s.listen("")
	if err != nil {
		return err
	}
	s.places.put(placeIGD, map[family]string{ipv4: web.Addr().String()})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rootDesc.xml", func(w http.ResponseWriter, _ *http.Request) { sayXML(w, http.StatusOK, routerDescription) })
	mux.HandleFunc("POST /ctl/IPConn", s.answerSOAP)
	s.serveHTTP(web, mux)
	return nil
}

// runRouter answers datagrams until the socket is closed.
func (s *Sandbox) runRouter(packets net.PacketConn, answer func([]byte) []byte) {
	buf := make([]byte, 1500)
	for {
		n, from, err := packets.ReadFrom(buf)
		if err != nil {
			return
		}
		if s.Router().Off {
			continue
		}
		if said := answer(buf[:n]); said != nil {
			_, _ = packets.WriteTo(said, from)
		}
	}
}

// answerPMP answers one NAT-PMP request; nil is silence.
func (s *Sandbox) answerPMP(request []byte) []byte {
	const unsupported, refused, noNetwork = 1, 2, 3
	if len(request) < 2 || request[1] >= 128 {
		return nil
	}
	answer := []byte{0, request[1] + 128, 0, 0}
	answer = binary.BigEndian.AppendUint32(answer, uint32(time.Since(s.started)/time.Second))
	switch wan := s.named(); {
	case request[0] != 0:
		answer[3] = unsupported
	case request[1] != 0: // a mapping: nobody opens a port here
		answer[3] = refused
	case !wan.IsValid():
		answer[3] = noNetwork
		answer = append(answer, 0, 0, 0, 0)
	default:
		answer = append(answer, wan.AsSlice()...)
	}
	return answer
}

// answerSearch answers one search of SSDP; nil is silence.
func (s *Sandbox) answerSearch(request []byte) []byte {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil || r.Method != "M-SEARCH" || r.RequestURI != "*" || r.Header.Get("Man") != `"ssdp:discover"` {
		return nil
	}
	target := r.Header.Get("St")
	switch target {
	case "ssdp:all", "upnp:rootdevice":
		target = "upnp:rootdevice"
	case "urn:schemas-upnp-org:device:InternetGatewayDevice:1", connectionService:
	default:
		return nil
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: %[1]s\r\nUSN: uuid:5a2b0c0e-1d3f-4c5e-8f6a-7b8c9d0e1f2a::%[1]s\r\nEXT:\r\nSERVER: sandbox UPnP/1.1\r\nLOCATION: http://%[2]s:%[3]s/rootDesc.xml\r\n\r\n",
		target, routerAddress, routerWeb)
}

const connectionService = "urn:schemas-upnp-org:service:WANIPConnection:1"

const routerDescription = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>Home router</friendlyName><manufacturer>cfddns sandbox</manufacturer><modelName>router</modelName><UDN>uuid:5a2b0c0e-1d3f-4c5e-8f6a-7b8c9d0e1f2a</UDN>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><friendlyName>WANDevice</friendlyName>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><friendlyName>WANConnectionDevice</friendlyName>
<serviceList><service><serviceType>` + connectionService + `</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId><SCPDURL>/WANIPCn.xml</SCPDURL><controlURL>/ctl/IPConn</controlURL><eventSubURL>/evt/IPConn</eventSubURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>
`

// answerSOAP answers a call of the WAN connection.
func (s *Sandbox) answerSOAP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<16))
	const envelope = `<?xml version="1.0"?>` + "\r\n" + `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body></s:Envelope>` + "\r\n"
	if strings.Trim(r.Header.Get("SOAPAction"), `"`) != connectionService+"#GetExternalIPAddress" {
		sayXML(w, http.StatusInternalServerError, fmt.Sprintf(envelope, `<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>401</errorCode><errorDescription>Invalid Action</errorDescription></UPnPError></detail></s:Fault>`))
		return
	}
	named := ""
	if wan := s.named(); wan.IsValid() {
		named = wan.String()
	}
	sayXML(w, http.StatusOK, fmt.Sprintf(envelope, `<u:GetExternalIPAddressResponse xmlns:u="`+connectionService+`"><NewExternalIPAddress>`+named+`</NewExternalIPAddress></u:GetExternalIPAddressResponse>`))
}

func sayXML(w http.ResponseWriter, status int, doc string) {
	say(w, status, `text/xml; charset="utf-8"`, doc)
}

// Gateway returns the way out of the home's machine: the router of the sandbox.
// Another machine's is not known.
func (w *world) Gateway() (ddns.Gateway, error) {
	if w.client.IsValid() {
		return ddns.Gateway{}, os.ErrNotExist
	}
	return ddns.Gateway{Address: netip.MustParseAddr(routerAddress), Local: netip.MustParseAddr("192.168.1.10")}, nil
}

// dialRouter connects the home's machine to its router, whether or not there is
// a line behind it. It is no router's dial if ok is false.
func (w *world) dialRouter(ctx context.Context, d dial, f family) (conn net.Conn, ok bool, err error) {
	if w.client.IsValid() || f != ipv4 || d.host != routerAddress {
		return nil, false, nil
	}
	var place string
	switch d.network + " " + d.port {
	case "udp 5351":
		place = placePMP
	case "udp 1900":
		place = placeSSDP
	case "tcp " + routerWeb:
		place = placeIGD
	}
	if place == "" || w.s.Router().Off && d.network == "tcp" {
		return nil, true, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	conn, err = w.s.connect(ctx, d.network, w.s.places.find(place, ipv4))
	return conn, true, err
}
