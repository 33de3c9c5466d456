package doctor

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// forget makes some of the facts unknown, wherever they stand in the evidence.
func forget(e Evidence, drop func(name string) bool) Evidence {
	e.Resolvers = slices.Clone(e.Resolvers)
	for i, r := range e.Resolvers {
		if drop("resolver " + r.Name) {
			e.Resolvers[i].Said = Unknown[Answer]("forgotten")
		}
	}
	if drop("what the hop's nameservers say") {
		e.Hop.Value.Servers = nil
	}
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		if field.Kind() != reflect.Struct || !field.FieldByName("Known").IsValid() {
			continue
		}
		if field.FieldByName("Known").Bool() && drop(v.Type().Field(i).Name) {
			field.SetZero()
			field.FieldByName("Why").SetString("forgotten")
		}
	}
	return e
}

func convicted(d Diagnosis) (suspects []Suspect) {
	for _, f := range d.Findings {
		if f.State == Guilty {
			suspects = append(suspects, f.Suspect)
		}
	}
	return suspects
}

// Less evidence never convicts anybody who was not convicted with more: in
// worlds with one, two or three things wrong at once.
func TestLessEvidenceConvictsNobodyElse(t *testing.T) {
	all := causes()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(allShapes).Draw(t, "shape")
		e := healthy(s)
		for range rapid.IntRange(1, 3).Draw(t, "things wrong") {
			c := rapid.SampledFrom(all).Draw(t, "cause")
			if !slices.Contains(c.shapes, s) || len(e.Records.Value) == 0 {
				continue
			}
			c.breaks(e, rapid.IntRange(1, 12).Draw(t, "share"))
		}
		if rapid.Bool().Draw(t, "fewer looks") && e.Looks.Known {
			e.Looks.Value = e.Looks.Value[:rapid.IntRange(0, len(e.Looks.Value)).Draw(t, "looks")]
		}
		with := Judge(*e)
		forgotten := []string{}
		without := Judge(forget(*e, func(name string) bool {
			drop := rapid.IntRange(0, 3).Draw(t, "forget "+name) == 0
			if drop {
				forgotten = append(forgotten, name)
			}
			return drop
		}))
		before := convicted(with)
		for _, suspect := range convicted(without) {
			if !slices.Contains(before, suspect) {
				t.Fatalf("without %v %s is convicted, and with it only %v: %s", forgotten, suspect, before, explain(without, suspect))
			}
		}
		if without.Culprit != nil && !slices.Contains(before, without.Culprit.Suspect) {
			t.Fatalf("without %v the culprit is %s, which was never convicted", forgotten, without.Culprit.Suspect)
		}
	})
}

func explain(d Diagnosis, s Suspect) string {
	i := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Suspect == s })
	return fmt.Sprintf("%+v", d.Findings[i])
}

// What visitors were seen to suffer is never called well.
func TestFailuresThatWereSeenAreNeverCalledWell(t *testing.T) {
	all := causes()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(behind).Draw(t, "shape")
		e := healthy(s)
		c := rapid.SampledFrom(all).Draw(t, "cause")
		if !slices.Contains(c.shapes, s) {
			return
		}
		c.breaks(e, rapid.IntRange(1, 12).Draw(t, "share"))
		looks := e.Looks
		d := Judge(forget(*e, func(name string) bool { return name != "Looks" && rapid.Bool().Draw(t, "forget "+name) }))
		if bad := tallyOf(e.URL, looks); bad.known && !bad.well() && d.Exit == ExitWell {
			t.Fatalf("%s was seen, and called well", bad.text())
		}
	})
}

// The same evidence gives the same words, whatever the order of maps.
func TestTheSameEvidenceGivesTheSameWords(t *testing.T) {
	for _, c := range causes() {
		e := healthy(c.shapes[0])
		c.breaks(e, 7)
		first := words(t, Judge(*e))
		for range 5 {
			if again := words(t, Judge(*e)); again != first {
				t.Errorf("%s: %s\nand then: %s", c.name, first, again)
			}
		}
	}
}

func words(t *testing.T, d Diagnosis) string {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
