package files

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cfddns/cfddns/needs"
)

// TestWhoExchangesWhatIsOnTheWayLeadsNobodyAstray has the service exchange a
// part of the way, again and again, while root goes it. Root may find what is the
// service's, or that the way leads to what is root's, and never opens that.
func TestWhoExchangesWhatIsOnTheWayLeadsNobodyAstray(t *testing.T) {
	needs.Root(t)
	for name, one := range map[string]func(at func(string) string) error{
		"a directory and a link": func(at func(string) string) error { return os.Rename(at("service/its"), at("service/a")) },
		"two links":              func(at func(string) string) error { return os.Symlink(at("service/its"), at("service/a")) },
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			at := func(name string) string { return filepath.Join(place, name) }
			steps(t, os.MkdirAll(at("root/state"), 0o755), os.MkdirAll(at("service/its/state"), 0o755),
				one(at), os.Symlink(at("root"), at("service/b")))
			steps(t, filepath.Walk(at("service"), func(path string, _ os.FileInfo, err error) error {
				steps(t, err)
				return os.Lchown(path, service, service)
			}))
			end := make(chan struct{})
			var exchanging sync.WaitGroup
			exchanging.Go(func() {
				for {
					select {
					case <-end:
						return
					default:
						_ = unix.Renameat2(unix.AT_FDCWD, at("service/a"), unix.AT_FDCWD, at("service/b"), unix.RENAME_EXCHANGE)
					}
				}
			})
			for range 5000 {
				d, err := Open(at("service/a/state"))
				if err != nil {
					continue
				}
				if owner := d.owner.uid; owner != service {
					t.Errorf("it opened a directory of user %d", owner)
				}
				steps(t, d.Close())
				if t.Failed() {
					break
				}
			}
			close(end)
			exchanging.Wait()
		})
	}
}
