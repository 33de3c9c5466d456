package configs

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/viper"
)

// prefix begins the name of every variable that holds a key.
const prefix = "CFDDNS_"

// delimiter separates the keys of a path inside viper. Its usual dot would
// tear host names apart.
const delimiter = "\x00"

// environment turns KEY=VALUE entries into a map; the last of two counts, as
// for os/exec. An empty variable is the same as none: compose files make them.
func environment(entries []string) map[string]string {
	env := map[string]string{}
	for _, entry := range entries {
		if name, value, found := strings.Cut(entry, "="); found && value != "" {
			env[name] = value
		}
	}
	return env
}

// variable names the variable of a key: ip.sources is CFDDNS_IP_SOURCES.
func variable(path string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// shortVariable of a key stands beside the one that its path names: what is said
// of all names is said often, and mostly where there is no file.
var shortVariable = map[string]string{
	"defaults.types":   prefix + "TYPES",
	"defaults.proxied": prefix + "PROXIED",
	"defaults.ttl":     prefix + "TTL",
}

// unfitVariable is a variable that cannot hold what its key does.
type unfitVariable struct {
	path string
	Problem
}

// setFromEnv lays the variables of env over what the file says. It returns
// the variable of each path set so, and what is odd or wrong about the rest.
func setFromEnv(v *viper.Viper, env map[string]string) (set map[string]string, warnings []Warning,
	unfit []unfitVariable) {
	set = map[string]string{}
	known := []string{prefix + "CONFIG"}
	walkKeys("", reflect.TypeFor[Config](), func(path string, t reflect.Type) {
		if strings.Contains(path, "[]") {
			return // one variable holds the whole list
		}
		known = append(known, variable(path))
		if other := shortVariable[path]; other != "" {
			known = append(known, other)
		}
		name, value, problem := valueOf(path, t, env)
		switch {
		case problem != "":
			unfit = append(unfit, unfitVariable{path, Problem{Key: name, Text: problem}})
		case name != "":
			set[path] = name
			v.Set(strings.ReplaceAll(path, ".", delimiter), value)
		}
	})
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, prefix) && !slices.Contains(known, name) && otherVariable(name) == "" {
			warnings = append(warnings, unknownVariable(name, known))
		}
	}
	return set, warnings, unfit
}

// valueOf is what a variable says of a key, or what is wrong with that; without
// a name none is set.
func valueOf(path string, t reflect.Type, env map[string]string) (name string, value any, problem string) {
	name, other := variable(path), shortVariable[path]
	text, ok := env[name]
	switch again := env[other]; {
	case ok && again != "" && again != text:
		return other, nil, fmt.Sprintf("says another thing than %s, and both mean %s; remove one of the two",
			name, path)
	case !ok && again != "":
		name, text, ok = other, again, true
	}
	if !ok {
		return "", nil, ""
	}
	value = fromVariable(text, t)
	list, isList := value.([]any)
	switch {
	case isList && !ofWords(t):
		return name, nil, fmt.Sprintf("its entries have keys of their own, which only a file can hold; list them "+
			"under %s there, as reference.yaml shows", path)
	case isList && len(list) == 0:
		return name, nil, "names nothing between its commas; write " + name + "=" + sampleOf(path) + ", or remove it"
	}
	return name, value, ""
}

// ofWords reports whether an entry of a list can be written as a word.
func ofWords(t reflect.Type) bool {
	entry := t.Elem()
	return len(fieldsOf(entry)) == 0 || entry == reflect.TypeFor[Record]() || entry == reflect.TypeFor[Source]()
}

// sampleOf is what a list may hold.
func sampleOf(path string) string {
	switch path {
	case "records":
		return "home.example.com,www.example.com"
	case "defaults.types":
		return "A,AAAA"
	case "ip.sources":
		return "default"
	}
	return "ONE,TWO"
}

// misnamed are variables that look like ours, by what a person meant. A word
// that is nearer to another name than to the right one would mislead.
var misnamed = map[string]string{
	"NAMES": "RECORDS", "NAME": "RECORDS", "DOMAINS": "RECORDS", "DOMAIN": "RECORDS", "HOSTS": "RECORDS",
	"HOSTNAMES": "RECORDS", "HOST": "RECORDS",
	"TYPE": "TYPES", "RECORD_TYPE": "TYPES", "PROXY": "PROXIED", "INTERVAL": "SCHEDULE", "SOURCES": "IP_SOURCES",
	"QUORUM": "IP_QUORUM",
}

func unknownVariable(name string, known []string) Warning {
	text := fmt.Sprintf("%s: there is no such variable, and it changes nothing", name)
	meant := nearest(name, known)
	if word, ok := misnamed[strings.TrimPrefix(name, prefix)]; ok {
		meant = prefix + word
	}
	if meant != "" {
		return Warning(text + "; did you mean " + meant + "?")
	}
	return Warning(text + "; remove it")
}

// fromVariable gives a value the shape that it has in a file. A list is
// written with commas, a list of records as a list of names.
func fromVariable(value string, t reflect.Type) any {
	if t == reflect.TypeFor[ddns.Keep]() && slices.Contains([]string{"true", "True", "TRUE", "false",
		"False", "FALSE"}, value) {
		return strings.EqualFold(value, "true") // as YAML reads it
	}
	if t.Kind() != reflect.Slice {
		return value
	}
	list := []any{}
	for word := range strings.SplitSeq(value, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "":
		case t == reflect.TypeFor[[]Record]():
			list = append(list, map[string]any{"name": word})
		default:
			list = append(list, word)
		}
	}
	return list
}
