//go:build linux

package lab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// besideChange is one change of the home's address.
type besideChange struct {
	After time.Duration // until the answer to the write that made the record right was back
	Calls int           // of the API, until ten seconds later
	Trips int64         // round trips of the longest conversation with a source, and of the longest with the API
	Lost  bool          // the record was still wrong when it was no longer waited for
}

// besideQuiet is what a home costs in which nothing happens.
type besideQuiet struct {
	Window         time.Duration
	Calls          int   // of the API
	Bytes, Packets int64 // of IP, both ways, on the line to the provider
	CPU            time.Duration
	Memory         map[string]float64 // MiB, at the end
}

const (
	// A home moves once in five to ten minutes. Three times in
	// ten minutes cfddns calls flapping, and waits until it is sure.
	moveLeast = 310 * time.Second
	moveMost  = 610 * time.Second
	// besidePatience is how long a record is waited for.
	besidePatience = 15 * time.Minute
	// besideSettle is left alone between the start and the first count.
	besideSettle = 90 * time.Second
)

// interval is how often the program looks, if nothing tells it.
func (r besideRun) interval() time.Duration {
	switch {
	case r.Program == "cfddns" || r.Way == byHook:
		return 20 * time.Second
	case r.Program == "inadyn" && r.Setting == "default":
		return 2 * time.Minute
	case r.Program == "inadyn":
		return shortestInadyn * time.Second
	case r.Setting == "shortest":
		return shortestDdclient * time.Second
	}
	return 5 * time.Minute
}

// changes moves the home, again and again, and watches the record follow. The
// last time is early enough to be followed before the measuring ends, mostly.
func (h *besideHouse) changes(p *besideProgram) (seen []besideChange) {
	last := time.Now().Add(h.run.Lasts - h.run.interval())
	next := time.Now().Add(min(moveLeast, h.run.Lasts/2) + rand.N(h.run.interval()))
	for len(seen) == 0 || next.Before(last) {
		select {
		case <-time.After(time.Until(next)):
		case <-p.ended:
			return seen
		}
		next = time.Now().Add(moveLeast + rand.N(moveMost-moveLeast))
		seen = append(seen, h.change(p))
	}
	return seen
}

// change moves the home once.
func (h *besideHouse) change(p *besideProgram) besideChange {
	before, _ := h.calls()
	for _, s := range h.services {
		s.longest()
	}
	began := h.move()
	if err := h.tell(p); err != nil {
		h.b.Fatal(err)
	}
	if !h.follow(began) {
		return besideChange{Lost: true, After: besidePatience}
	}
	c := besideChange{After: time.Since(began) + apiTrip}
	var source, api int64
	for _, s := range h.services {
		switch n := s.longest(); {
		case s.line.trip == apiTrip:
			api = max(api, n)
		case s.port != "53": // the nameservers are asked for the proof
			source = max(source, n)
		}
	}
	c.Trips = source + api
	<-time.After(10 * time.Second)
	after, _ := h.calls()
	c.Calls = after - before
	return c
}

// tell is how the program learns of the change, if something outside has to say it.
func (h *besideHouse) tell(p *besideProgram) error {
	switch h.run.Way {
	case byHook:
		return p.hook(h, p)
	case byPush:
		return h.push()
	default:
		return nil
	}
}

// follow waits until the record is right, and reports whether it ever was. The
// world's records are read when it was called to write, and now and then.
func (h *besideHouse) follow(began time.Time) bool {
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	_, writes := h.calls()
	written, read := began, began
	for now := range look.C {
		if _, n := h.calls(); n != writes {
			writes, written = n, now
		}
		switch {
		case now.Sub(began) > besidePatience:
			return false
		case now.Sub(written) > time.Second && now.Sub(read) < time.Second:
			continue
		case h.right():
			return true
		}
		read = now
	}
	return false
}

// calls is how many calls the API was sent; writes, how many could change a record.
func (h *besideHouse) calls() (all, writes int) {
	for effect, n := range h.world.Calls() {
		all += n
		switch effect {
		case "create", "edit", "delete", "batch":
			writes += n
		}
	}
	return all, writes
}

// quiet watches a home in which nothing happens.
func (h *besideHouse) quiet(p *besideProgram) besideQuiet {
	<-time.After(besideSettle)
	began, cpu := time.Now(), p.cpu(h.b)
	calls, _ := h.calls()
	bytes, packets := h.wire0()
	select {
	case <-time.After(h.run.Lasts):
	case <-p.ended:
		return besideQuiet{}
	}
	after, _ := h.calls()
	bytesAfter, packetsAfter := h.wire0()
	return besideQuiet{
		Window: time.Since(began), Calls: after - calls, Bytes: bytesAfter - bytes, Packets: packetsAfter - packets,
		CPU: p.cpu(h.b) - cpu, Memory: p.memory(h.b),
	}
}

// wire0 is what went over the line to the provider so far, both ways. The
// kernel counts Ethernet's header of 14 bytes too.
func (h *besideHouse) wire0() (bytes, packets int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", h.router.pid))
	if err != nil {
		h.b.Fatal(err)
	}
	for l := range strings.Lines(string(text)) {
		name, numbers, _ := strings.Cut(strings.TrimSpace(l), ":")
		if words := strings.Fields(numbers); name == "wan0" && len(words) == 16 {
			for i, sum := range map[int]*int64{0: &bytes, 1: &packets, 8: &bytes, 9: &packets} {
				n, _ := strconv.ParseInt(words[i], 10, 64) // the kernel writes numbers
				*sum += n
			}
		}
	}
	return bytes - 14*packets, packets
}
