package notify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

func TestAPingLeavesTheHomeOnlyEncrypted(t *testing.T) {
	cases := []struct {
		url string
		ok  bool
	}{
		{"", true},
		{"https://hc-ping.com/s3cret", true},
		{"https://kuma.example.com/api/push/s3cret?status=up&msg=OK&ping=", true},
		{"http://hc-ping.com/s3cret", false},
		{"http://203.0.113.7/s3cret", false},
		{"http://[2001:db8::1]/s3cret", false},
		{"http://127.0.0.1:3001/s3cret", true},
		{"http://[::1]:3001/s3cret", true},
		{"http://192.168.1.5:3001/api/push/s3cret", true},
		{"http://[fd00::5]/s3cret", true},
		{"http://localhost:3001/s3cret", true},
		{"http://nas/s3cret", true},
		{"http://nas.local./s3cret", true},
		{"http://NAS.home.arpa/s3cret", true},
		{"http://nas.internal.example.com/s3cret", false},
		{"ftp://nas/s3cret", false},
		{"hc-ping.com/s3cret", false},
		{"https://", false},
		{"https://s3cret:x y@/%zz", false},
	}
	for _, c := range cases {
		t.Run(c.url, func(t *testing.T) {
			err := Config{Ping: ddns.NewSecret(c.url)}.Validate()
			if (err == nil) != c.ok {
				t.Error(err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows the URL: %v", err)
			}
		})
	}
}

func TestAConfigurationShowsAllMistakesAndNoSecret(t *testing.T) {
	c := Config{Command: []string{""}, OnChange: []string{""}, Ping: ddns.NewSecret("s3cret")}
	err := c.Validate()
	for _, key := range []string{"notify.command", "notify.on_change", "notify.ping"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not in %v", key, err)
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(shown, "s3cret") {
		t.Error(shown)
	}
}

func FuzzPingURL(f *testing.F) {
	for _, seed := range []string{"https://hc-ping.com/s3cret", "http://[fe80::1%25eth0]/x", "http://%zz", "://", "http://a.local"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		err := Config{Ping: ddns.NewSecret(url)}.Validate()
		if err != nil && len(url) > 20 && strings.Contains(err.Error(), url) {
			t.Fatalf("the error shows the URL: %v", err)
		}
	})
}
