package journal

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

func TestPeekingChangesNothing(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Peek(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there was read")
	}
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	home := netip.MustParseAddr("45.67.89.10")
	if err := j.Save(ddns.Memory{IPv4: ddns.FamilyMemory{Confirmed: []netip.Addr{home}}}); err != nil {
		t.Fatal(err)
	}
	if _, m, err := Peek(dir); err != nil || len(m.IPv4.Confirmed) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("{nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Peek(dir); err == nil {
		t.Error("nonsense was understood")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != stateFile {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}
