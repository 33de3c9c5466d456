package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The daemon and a one-shot append to one journal. Whoever finds it full turns
// it over; were both to do so, the second would turn over what the first has
// just begun, and everything before it would be gone.
func TestAJournalThatTwoTurnOverAtOnceLosesNothing(t *testing.T) {
	const journals, tries = 4, 30
	for try := range tries {
		dir := t.TempDir()
		full := fmt.Sprintf("{\"id\":\"before\",\"started\":%q,\"why\":%q}\n", start.Format(time.RFC3339), strings.Repeat("x", turnAt-200))
		if err := os.WriteFile(filepath.Join(dir, roundsFile), []byte(full), 0o600); err != nil {
			t.Fatal(err)
		}
		var begin, end sync.WaitGroup
		begin.Add(1)
		for i := range journals {
			j := open(t, dir)
			end.Go(func() {
				begin.Wait()
				if err := j.Append(changedRound(i)); err != nil {
					t.Error(err)
				}
			})
		}
		begin.Done()
		end.Wait()
		if found := ids(t, open(t, dir), time.Time{}); len(found) != journals+1 {
			t.Fatalf("at try %d: of one old round and %d new ones there are: %v", try, journals, found)
		}
	}
}
