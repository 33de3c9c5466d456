package configs

import (
	"reflect"
	"strconv"
	"strings"
)

// field is one key of a mapping and the Go type of its value.
type field struct {
	key   string
	value reflect.Type
}

// fieldsOf returns the keys that a mapping of type t may hold, in the order of
// the struct. A type without tagged fields is a value, not a mapping.
func fieldsOf(t reflect.Type) []field {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var fields []field
	for f := range t.Fields() {
		if tag := f.Tag.Get("mapstructure"); tag != "" && tag != "-" {
			fields = append(fields, field{tag, f.Type})
		}
	}
	return fields
}

// Keys lists the paths of all keys that hold a value, "[]" standing for any
// entry of a list: "owner", "cloudflare.recheck", "records[].name".
func Keys() []string {
	var paths []string
	walkKeys("", reflect.TypeFor[Config](), func(path string, _ reflect.Type) { paths = append(paths, path) })
	return paths
}

// walkKeys calls visit for every value at or below path.
func walkKeys(path string, t reflect.Type, visit func(string, reflect.Type)) {
	fields := fieldsOf(t)
	if t.Kind() == reflect.Slice {
		visit(path, t)
		if len(fieldsOf(t.Elem())) > 0 {
			walkKeys(path+"[]", t.Elem(), visit)
		}
		return
	}
	if len(fields) == 0 {
		visit(path, t)
		return
	}
	for _, f := range fields {
		walkKeys(join(path, f.key), f.value, visit)
	}
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// index appends the place in a list to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parent drops the last key or index of a path; "" has no parent.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// plain replaces the indexes of a path by "[]", as Keys writes them.
func plain(path string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("[]")
		_, path, _ = strings.Cut(rest, "]")
	}
}
