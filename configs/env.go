package configs

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

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

// setFromEnv lays the variables of env over what the file says. It returns
// the variable of each path set so, and warnings of those nobody reads.
func setFromEnv(v *viper.Viper, env map[string]string) (set map[string]string, warnings []Warning) {
	set = map[string]string{}
	known := []string{prefix + "CONFIG"}
	walkKeys("", reflect.TypeFor[Config](), func(path string, t reflect.Type) {
		if strings.Contains(path, "[]") {
			return // one variable holds the whole list
		}
		name := variable(path)
		known = append(known, name)
		if value, ok := env[name]; ok {
			set[path] = name
			v.Set(strings.ReplaceAll(path, ".", delimiter), fromVariable(value, t))
		}
	})
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, prefix) && !slices.Contains(known, name) {
			warnings = append(warnings, unknownVariable(name, known))
		}
	}
	return set, warnings
}

func unknownVariable(name string, known []string) Warning {
	text := fmt.Sprintf("%s: there is no such variable, and it changes nothing", name)
	if meant := nearest(name, known); meant != "" {
		return Warning(text + "; did you mean " + meant + "?")
	}
	return Warning(text + "; remove it")
}

// fromVariable gives a value the shape that it has in a file. A list is
// written with commas, a list of records as a list of names.
func fromVariable(value string, t reflect.Type) any {
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
