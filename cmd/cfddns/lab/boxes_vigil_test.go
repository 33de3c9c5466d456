//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A vigil looks at a name without pause. At every moment exactly one record
// stands there, and what it held, in order, shows whether it flapped.
type vigil struct {
	l    *lab
	over chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex // guards the following
	looks int
	held  []string // what the record held, one after the other
	ids   []string // which records that were
	wrong []string
}

// vigilEvery is how often it looks.
const vigilEvery = 20 * time.Millisecond

// watch begins a vigil. It ends with end, or with the scenario.
func (l *lab) watch(name string) *vigil {
	v := &vigil{l: l, over: make(chan struct{})}
	v.done.Go(func() {
		look := time.NewTicker(vigilEvery)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				v.look(name)
			case <-v.over:
				return
			}
		}
	})
	l.Cleanup(v.stop)
	return v
}

func (v *vigil) stop() {
	v.mu.Lock()
	select {
	case <-v.over:
	default:
		close(v.over)
	}
	v.mu.Unlock()
	v.done.Wait()
}

// look notes what stands at the name. It may not end the test: it is not in its
// goroutine.
func (v *vigil) look(name string) {
	records, err := recordsAt(v.l.world.Info().Control, name)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looks++
	switch {
	case err != nil:
		v.wrong = append(v.wrong, err.Error())
	case len(records) != 1:
		v.wrong = append(v.wrong, fmt.Sprintf("after %v: %d records, %v", v.held, len(records), records))
	default:
		content, id := records[0]["content"].(string), records[0]["id"].(string)
		if n := len(v.held); n == 0 || v.held[n-1] != content {
			v.held = append(v.held, content)
		}
		if !slices.Contains(v.ids, id) {
			v.ids = append(v.ids, id)
		}
	}
}

// end fails unless one and the same record stood there all the time, and held
// these addresses one after the other, none of them twice.
func (v *vigil) end(held ...string) {
	v.l.Helper()
	v.stop()
	v.l.Logf("looked %d times: %v", v.looks, v.held)
	if len(v.wrong) > 0 {
		v.l.Errorf("%d of %d looks are wrong, first: %s", len(v.wrong), v.looks, v.wrong[0])
	}
	if !slices.Equal(v.held, held) {
		v.l.Errorf("the record held %v, want %v", v.held, held)
	}
	if len(v.ids) > 1 {
		v.l.Errorf("the record was made anew: %v", v.ids)
	}
}

// recordsAt are the records at a name, of all types, as the world has them.
func recordsAt(control, name string) (at []record, err error) {
	response, err := http.Get(control + "/world")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var world struct{ Records map[string][]record }
	if err := json.NewDecoder(response.Body).Decode(&world); err != nil {
		return nil, err
	}
	for _, zone := range world.Records {
		for _, r := range zone {
			if r["name"] == name {
				at = append(at, r)
			}
		}
	}
	return at, nil
}
