package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/configs"
)

// Each file of testdata/bad begins with the message it shall get, a line of
// comment for each line of it. A message that ends with … goes on in the words
// of the package ipsource, whose tests know them.
func TestABadFileIsToldWhatIsWrongAndWhatWouldBeRight(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d bad files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			var want []string
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(content)) {
				if text, found := strings.CutPrefix(line, "# want: "); found {
					want = append(want, strings.TrimSpace(text))
				}
			}
			_, _, err = configs.Load(file, nil)
			if err == nil {
				t.Fatal("the file was accepted")
			}
			got := strings.Split(strings.ReplaceAll(err.Error(), file, "FILE"), "\n")
			for i, line := range want {
				if place, found := strings.CutSuffix(line, "…"); found && i < len(got) && strings.HasPrefix(got[i], place) {
					got[i] = line
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}
