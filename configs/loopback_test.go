package configs

import "testing"

func TestOnLoopback(t *testing.T) {
	const here, there = "http://127.0.0.1:8080/client/v4", "https://api.cloudflare.com/client/v4"
	for _, tt := range []struct {
		name    string
		api     string
		sources []Source
		want    bool
	}{
		{"a sandbox: the API and all sources are here", here, []Source{{HTTPS: "https://127.0.0.1:1/"}, {STUN: "[::1]:3478"}, {DNS: &DNSSource{Server: "localhost"}}}, true},
		{"one source is out in the world", here, []Source{{HTTPS: "https://127.0.0.1:1/"}, {STUN: "stun.example.net:3478"}}, false},
		{"the sources of the catalogue are out in the world", here, []Source{{Name: "default"}}, false},
		{"an interface is a line of this machine", here, []Source{{Interface: "ppp0"}}, false},
		{"a router is real", here, []Source{{Router: "auto"}}, false},
		{"a command may ask anybody", here, []Source{{Command: []string{"/bin/true"}}}, false},
		{"a source of one's own here, and the real API", there, []Source{{HTTPS: "https://127.0.0.1:1/"}}, false},
		{"no source at all", here, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Cloudflare: Cloudflare{API: tt.api}, IP: IP{Sources: tt.sources}}
			if got := c.OnLoopback(); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
