package ddns_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

func TestASecretShowsInNoOutput(t *testing.T) {
	const word = "cfut_thisMustNotShow"
	secret := ddns.NewSecret(word)
	inside := struct{ token ddns.Secret }{secret}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", secret, inside, &inside)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "token", secret, "inside", inside)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "token", secret, "inside", inside)
	if err := json.NewEncoder(&out).Encode(map[string]any{"token": secret, "inside": inside}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), word) || strings.Contains(out.String(), fmt.Sprintf("%x", word)) {
		t.Errorf("the word shows in:\n%s", out.String())
	}
	if secret.Reveal() != word || secret != ddns.NewSecret(word) || secret == ddns.NewSecret("another") {
		t.Error("a secret does not hold its word")
	}
	if !ddns.NewSecret("").IsZero() || ddns.NewSecret("").Reveal() != "" {
		t.Error("no word is no secret")
	}
}
