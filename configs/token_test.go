package configs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

const goodToken = "V1StGXR8_Z5jdHi6B-myTV1StGXR8_Z5jdHi6B-m"

func TestTheTokenIsTakenFromTheFirstPlaceThatIsUsed(t *testing.T) {
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "cloudflare-token"), []byte("third\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var c configs.Config
	c.Cloudflare.TokenFile = write(t, "token", " fourth \n")
	c.Cloudflare.Token = ddns.NewSecret("fifth")
	env := []string{
		"CLOUDFLARE_API_TOKEN=first",
		"CLOUDFLARE_API_TOKEN_FILE=" + write(t, "token", "second\r\n"),
		"CREDENTIALS_DIRECTORY=" + credentials,
	}
	for i, want := range []struct{ token, source string }{
		{"first", "CLOUDFLARE_API_TOKEN"},
		{"second", "CLOUDFLARE_API_TOKEN_FILE"},
		{"third", "the credential cloudflare-token"},
		{"fourth", "cloudflare.token_file"},
		{"fifth", "cloudflare.token"},
	} {
		if i == 4 {
			c.Cloudflare.TokenFile = ""
		}
		token, source, warnings, err := configs.Token(c, env[min(i, len(env)):])
		if err != nil || token.Reveal() != want.token || source != want.source {
			t.Errorf("%d: got %q from %q, %v", i, token.Reveal(), source, err)
		}
		if len(warnings) != 4-i {
			t.Errorf("%d: got %d warnings, want one for each other token: %v", i, len(warnings), warnings)
		}
	}
}

func TestNoTokenAnywhereSaysHowToGetOne(t *testing.T) {
	_, _, _, err := configs.Token(configs.Default(), []string{"CREDENTIALS_DIRECTORY=" + t.TempDir()})
	if !errors.Is(err, configs.ErrNoToken) {
		t.Errorf("got %v", err)
	}
}

func TestTwoPlacesWithTheSameTokenAreFine(t *testing.T) {
	var c configs.Config
	c.Cloudflare.TokenFile = write(t, "token", goodToken+"\n")
	_, _, warnings, err := configs.Token(c, []string{"CLOUDFLARE_API_TOKEN=" + goodToken})
	if err != nil || len(warnings) > 0 {
		t.Error(warnings, err)
	}
}

func TestATokenOfAVariableIsNamedAfterIt(t *testing.T) {
	env := []string{"CFDDNS_CLOUDFLARE_TOKEN=" + goodToken}
	c, _, err := configs.Load("", env)
	if err != nil {
		t.Fatal(err)
	}
	if _, source, _, err := configs.Token(c, env); err != nil || source != "CFDDNS_CLOUDFLARE_TOKEN" {
		t.Errorf("from %q, %v", source, err)
	}
}

func TestAPlaceThatIsNotReachedIsNotAWorry(t *testing.T) {
	var c configs.Config
	c.Cloudflare.TokenFile = "/nowhere/token"
	_, _, warnings, err := configs.Token(c, []string{"CLOUDFLARE_API_TOKEN=" + goodToken})
	if err != nil || len(warnings) > 0 {
		t.Error(warnings, err)
	}
}

func TestTwoTokensAreToldByTheirFingerprints(t *testing.T) {
	var c configs.Config
	c.Cloudflare.Token = ddns.NewSecret("another")
	_, _, warnings, err := configs.Token(c, []string{"CLOUDFLARE_API_TOKEN=" + goodToken})
	want := []configs.Warning{configs.Warning(fmt.Sprintf("cloudflare.token holds another token (%s) than CLOUDFLARE_API_TOKEN (%s), which is used; remove one of the two",
		configs.Fingerprint(ddns.NewSecret("another")), configs.Fingerprint(ddns.NewSecret(goodToken))))}
	if diff := cmp.Diff(want, warnings); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAFingerprintIsTheBeginningOfTheSHA256(t *testing.T) {
	if got := configs.Fingerprint(ddns.NewSecret("abc")); got != "ba7816bf" { // FIPS 180-2, appendix B.1
		t.Errorf("got %s", got)
	}
}

func TestWhatIsNoTokenIsTold(t *testing.T) {
	for content, want := range map[string]string{
		" \n":                                      "is empty; put the API token there, alone on one line",
		goodToken + "\n" + goodToken:               "has more than one line; leave the token alone on one line",
		`"` + goodToken + `"`:                      "has quotes around it; remove them",
		"'" + goodToken:                            "has quotes around it; remove them",
		"Bearer " + goodToken:                      `begins with a word of an HTTP header; leave the token alone, without "Bearer"`,
		"your-token":                               "holds the sample of a manual; put the real API token there",
		"YOUR_CLOUDFLARE_API_TOKEN":                "holds the sample of a manual; put the real API token there",
		"<token>":                                  "holds the sample of a manual; put the real API token there",
		"changeme":                                 "holds the sample of a manual; put the real API token there",
		"xxxxxxxxxxxxxxxxxxxx":                     "holds the sample of a manual; put the real API token there",
		goodToken + " " + goodToken:                "has a space or a letter that no token has; copy the token again",
		"CLOUDFLARE_API_TOKEN=" + goodToken:        "has a = in it, and no token has; leave out what stands before it, such as CLOUDFLARE_API_TOKEN=",
		"tökenwithumlaut":                          "has a space or a letter that no token has; copy the token again",
		strings.Repeat("0123456789abcdef", 3)[:37]: "looks like the Global API Key, which may do everything; make an API token instead, with Zone Read and DNS Edit",
	} {
		file := write(t, "token", content)
		for _, env := range []string{"CLOUDFLARE_API_TOKEN=" + content, "CLOUDFLARE_API_TOKEN_FILE=" + file} {
			name, _, _ := strings.Cut(env, "=")
			token, _, _, err := configs.Token(configs.Default(), []string{env})
			if err == nil || err.Error() != name+": "+want || !token.IsZero() {
				t.Errorf("%q: got  %v\nwant %s: %s", content, err, name, want)
			}
		}
	}
}

func TestAFileThatCannotBeReadIsTold(t *testing.T) {
	dir := t.TempDir()
	large := write(t, "large", strings.Repeat("a", 5000))
	for path, want := range map[string]string{
		dir + "/none": dir + "/none: there is no such file; write it, or name another",
		dir:           dir + " is a directory; name the file in it",
		large:         large + " is larger than 4096 bytes, and one line belongs there",
		goodToken:     "is not a path from the root; name the file that holds the token (the token itself belongs in CLOUDFLARE_API_TOKEN)",
	} {
		_, source, _, err := configs.Token(configs.Default(), []string{"CLOUDFLARE_API_TOKEN_FILE=" + path})
		if err == nil || err.Error() != "CLOUDFLARE_API_TOKEN_FILE: "+want || source != "CLOUDFLARE_API_TOKEN_FILE" {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestATokenFileOfAnotherSystemIsReadOrTold(t *testing.T) {
	for content, want := range map[string]string{
		"\ufeff" + goodToken + "\r\n":    "", // as some editors write it
		goodToken + "  \n\n\n":           "",
		"\xff\xfec\x00f\x00\r\x00\n\x00": "CLOUDFLARE_API_TOKEN_FILE: is no plain text (UTF-16?); save the file as UTF-8",
	} {
		token, _, _, err := configs.Token(configs.Default(), []string{"CLOUDFLARE_API_TOKEN_FILE=" + write(t, "token", content)})
		if got := fmt.Sprint(err); want == "" && token.Reveal() != goodToken || want != "" && got != want {
			t.Errorf("%q: got %q, %v; want %s", content, token.Reveal(), err, want)
		}
	}
}

func TestAFileThatEverybodyMayReadIsAWarning(t *testing.T) {
	file := write(t, "token", goodToken)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, warnings, err := configs.Token(configs.Default(), []string{"CLOUDFLARE_API_TOKEN_FILE=" + file})
	want := []configs.Warning{configs.Warning("CLOUDFLARE_API_TOKEN_FILE: " + file + " can be read by every user of this machine; chmod 600 " + file)}
	if diff := cmp.Diff(want, warnings); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}

	file = write(t, "c.yaml", "cloudflare: {token: "+goodToken+"}\n")
	for mode, count := range map[os.FileMode]int{0o640: 0, 0o644: 1} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, warnings, err := configs.Load(file, nil); err != nil || len(warnings) != count {
			t.Errorf("mode %o: %v, %v", mode, warnings, err)
		}
	}
}

func TestNoOutputHoldsTheToken(t *testing.T) {
	env := []string{"CLOUDFLARE_API_TOKEN=Bearer " + goodToken, "CFDDNS_CLOUDFLARE_TOKEN_FILE=" + goodToken, "CFDDNS_NOTIFY_PING=" + goodToken}
	_, _, err := configs.Load("", env)
	out := fmt.Sprintf("%v", err)
	for _, entry := range env {
		_, source, warnings, err := configs.Token(configs.Default(), []string{entry})
		out += fmt.Sprintf("%v %v %v", source, warnings, err)
	}
	c, _, err := configs.Load("", []string{"CFDDNS_CLOUDFLARE_TOKEN=" + goodToken, "CFDDNS_NOTIFY_PING=https://hc.example/" + goodToken})
	out += fmt.Sprintf("%v %+v %#v", err, c, c)
	for _, content := range []string{goodToken, "cloudflare: {token: [" + goodToken + "]}", "cloudflare:\n  token_file: " + goodToken, "cloudflare: " + goodToken} {
		_, _, err := configs.Load(write(t, "c.yaml", content), nil)
		out += fmt.Sprintf("%v", err)
	}
	if strings.Contains(out, goodToken[:8]) {
		t.Errorf("the token is in: %s", out)
	}
}
