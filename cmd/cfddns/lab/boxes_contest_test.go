//go:build linux

package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Two machines keep one name and leave by lines of their own, for instance
// since one of them has a VPN.

// contenders are two machines that see addresses of their own.
func contenders(l *lab) (one, other *uplink) {
	l.Helper()
	return l.uplink("one", labLine), l.uplink("other", labLine2)
}

// turn makes a round there, and fails unless it ends so, and says that.
func (b *box) turn(exit int, says string) {
	b.l.Helper()
	p := b.start("once")
	if code, _ := p.wait(20 * time.Second); code != exit || !strings.Contains(p.stdout.String()+p.stderr.String(), says) {
		b.l.Errorf("%s ended with %d, want %d and %q:\n%s%s", b.name, code, exit, says, p.stdout, p.stderr)
	}
}

// outbreak is how it begins: each puts back once what it confirmed, and then one
// of them finds it moved again, and lets it be.
func outbreak(one, other *box) {
	one.turn(0, labOld+" → "+labLine)
	other.turn(0, labLine+" → "+labLine2)
	one.turn(0, "somebody moved it to "+labLine2+"; put back to "+labLine)
	other.turn(0, "somebody moved it to "+labLine+"; put back to "+labLine2)
	one.turn(ddns.ExitHeld, "contested: we say "+labLine+", somebody else moved it to "+labLine2+" again; left so until ")
}

// A name that two homes want is moved a few times, not all day.
func boxesContest(t *testing.T) {
	l := newWideLab(t, oldRecord())
	one, other := contenders(l)
	v := l.watch(labName)
	outbreak(one.box, other.box)
	for range 3 {
		other.turn(0, "")
		one.turn(ddns.ExitHeld, "find the other updater that writes "+labName+" and stop it")
	}
	if _, writes := l.calls(); writes != 4 {
		t.Errorf("%d writes, want 4", writes)
	}
	v.end(labOld, labLine, labLine2, labLine, labLine2)
}

// It is put back after one hour, and each of the two waits twice as long the
// next time. The hours pass by the clock of the kernel.
func contestGrows(t *testing.T) {
	l := newWideLab(t, oldRecord())
	one, other := contenders(l)
	outbreak(one.box, other.box)
	began := time.Now()
	for _, step := range []struct {
		minutes int
		by      *uplink // who writes then; nil: nobody
	}{
		{50, nil}, {62, one}, {115, nil}, {124, other}, // an hour each
		{235, nil}, {246, one}, // two
	} {
		setClock(t, began.Add(time.Duration(step.minutes)*time.Minute))
		for i, u := range []*uplink{one, other, one} { // the third round finds what the second wrote
			_, before := l.calls()
			p := u.start("once")
			p.wait(20 * time.Second)
			if _, after := l.calls(); (after > before) != (i < 2 && u == step.by) {
				t.Errorf("after %d minutes %s wrote %d times, and should write: %t\n%s%s", step.minutes, u.name, after-before, u == step.by, p.stdout, p.stderr)
			}
		}
	}
	_, writes := l.calls()
	l.Logf("four hours of it: %d writes", writes)
}
