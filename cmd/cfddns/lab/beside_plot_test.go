//go:build linux

package lab

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"testing"
)

// The plot has a row for each kind of home, and a dot for each change. Its
// axis is logarithmic: a quarter of a second and ten minutes are both seen.
const (
	plotLeft, plotRight = 330, 900 // where the axis begins and ends
	plotTop, plotRow    = 60, 26
	plotLeast, plotMost = 0.1, 1000.0 // seconds
)

// plotStyle colours for light backgrounds, and for dark ones.
const plotStyle = `<style>
text { font: 13px sans-serif; fill: #1f2328 }
.title { font-weight: bold; font-size: 15px }
.grid { stroke: #d1d9e0 }
.median { stroke-width: 3; stroke: #1f2328 }
.cfddns { fill: #0969da } .inadyn { fill: #9a6700 } .ddclient { fill: #cf222e }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .grid { stroke: #3d444d } .median { stroke: #f0f6fc }
.cfddns { fill: #4493f8 } .inadyn { fill: #d29922 } .ddclient { fill: #f85149 }
}
</style>
`

// timePlot draws the time to the right record of each kind of home, as SVG.
func timePlot(groups []*besideGroup) string {
	var s, said strings.Builder
	height := plotTop + plotRow*len(groups) + 30
	for _, g := range groups {
		fmt.Fprintf(&said, "%s: %s. ", plotLabel(g), g.inWords())
	}
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title desc">`+"\n", plotRight+40, height)
	fmt.Fprintf(&s, "<title id=\"title\">Time from a change of the home's address to the right record</title>\n<desc id=\"desc\">%s</desc>\n", html.EscapeString(strings.TrimSpace(said.String())))
	s.WriteString(plotStyle)
	fmt.Fprintf(&s, `<text class="title" x="10" y="22">From the change of the address to the right record, in seconds</text>`+"\n")
	for at := plotLeast; at <= plotMost; at *= 10 {
		x := plotX(at)
		fmt.Fprintf(&s, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n",
			x, plotTop-14, x, height-30, x, height-12, at)
	}
	for i, g := range groups {
		y := plotTop + plotRow*i
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, plotLeft-12, y+4, html.EscapeString(plotLabel(g)))
		for _, seconds := range g.seconds {
			fmt.Fprintf(&s, `<circle class="%s" cx="%.1f" cy="%d" r="5" fill-opacity="0.6"/>`, g.run.Program, plotX(seconds), y)
		}
		if len(g.seconds) > 0 {
			x := plotX(middle(g.seconds))
			fmt.Fprintf(&s, `<line class="median" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, x, y-9, x, y+9)
		}
		s.WriteString("\n")
	}
	s.WriteString("</svg>\n")
	return s.String()
}

// plotX is where so many seconds are.
func plotX(seconds float64) float64 {
	part := math.Log(seconds/plotLeast) / math.Log(plotMost/plotLeast)
	return plotLeft + min(max(part, 0), 1)*(plotRight-plotLeft)
}

func plotLabel(g *besideGroup) string {
	return g.label() + " · " + strings.ReplaceAll(g.told(), "`", "")
}

// inWords is a row for those who do not see it.
func (g besideGroup) inWords() string {
	if len(g.seconds) == 0 {
		return "no change was followed"
	}
	words := fmt.Sprintf("median %s s, at most %s s, %d changes", short(middle(g.seconds)), short(g.seconds[len(g.seconds)-1]), len(g.seconds)+g.lost)
	if g.lost > 0 {
		words += fmt.Sprintf(", %d never followed", g.lost)
	}
	return words
}

func TestThePlotShowsEveryChange(t *testing.T) {
	drawn := timePlot([]*besideGroup{
		{run: besideRun{Program: "cfddns", Setting: "default", Way: byHook}, seconds: []float64{0.3, 0.4, 5}},
		{run: besideRun{Program: "ddclient", Setting: "default", Way: byNothing}, seconds: []float64{150, 2000}, lost: 1},
		{run: besideRun{Program: "inadyn", Setting: "<default>", Way: byNothing}},
	})
	for words, want := range map[string]int{
		"<circle ": 5, `<circle class="cfddns"`: 3, `class="median"`: 2, "cfddns, default · a hook: cfddns poke": 2, "&lt;default&gt;": 2,
		"median 0.4 s, at most 5 s, 3 changes": 1, "3 changes, 1 never followed": 1, "no change was followed": 1, `cx="900.0"`: 1,
		"prefers-color-scheme: dark": 1, `role="img"`: 1,
	} {
		if n := strings.Count(drawn, words); n != want {
			t.Errorf("%q stands there %d times, want %d", words, n, want)
		}
	}
	tokens := xml.NewDecoder(strings.NewReader(drawn))
	for {
		if _, err := tokens.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("it is no XML: %v\n%s", err, drawn)
		}
	}
}
