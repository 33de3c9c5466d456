package configs

import (
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const day = 24 * time.Hour

// convert turns a word of the configuration into the type its key has. It is
// the decode hook of the loader; values of other kinds were already held
// against the type by the tree.
func convert(_, to reflect.Type, data any) (any, error) {
	if yes, ok := data.(bool); ok && to == reflect.TypeFor[ddns.Keep]() {
		if yes {
			return ddns.SetTrue, nil
		}
		return ddns.SetFalse, nil
	}
	if isUntil(to) {
		return untilOf(data)
	}
	text, ok := data.(string)
	if !ok {
		return data, nil
	}
	switch to {
	case reflect.TypeFor[time.Duration]():
		return parseDuration(text)
	case reflect.TypeFor[Schedule]():
		return ParseSchedule(text)
	case reflect.TypeFor[ddns.Keep]():
		return parseKeep(text)
	case reflect.TypeFor[TTL]():
		n, err := parseNumber(text, map[string]int{"keep": 0, "auto": 1})
		return TTL(n), err
	case reflect.TypeFor[Quorum]():
		n, err := parseNumber(text, map[string]int{"auto": 0})
		return Quorum(n), err
	case reflect.TypeFor[slog.Level]():
		return parseLevel(text)
	case reflect.TypeFor[ddns.Secret]():
		return ddns.NewSecret(text), nil
	case reflect.TypeFor[Source]():
		return Source{Name: text}, nil
	}
	return data, nil
}

// parseDuration reads what Go reads and days, which have 24 hours: "30d",
// "1d12h". A bare number is refused, since nobody can know its unit.
func parseDuration(text string) (time.Duration, error) {
	refused := wrongf("%q is not a length of time; write a number with a unit and no space, such as 15s, 20m, 1h or 30d", text)
	var whole time.Duration
	rest := text
	if days, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, refused
		}
		if whole, rest = time.Duration(n)*day, after; rest == "" {
			return whole, nil
		}
	}
	part, err := time.ParseDuration(rest)
	if err != nil || (whole > 0 && (part < 0 || part >= day)) {
		return 0, refused
	}
	return whole + part, nil
}

// parseKeep reads a setting with three states. True and false are YAML's own
// words and come without quotes.
func parseKeep(text string) (ddns.Keep, error) {
	switch text {
	case "keep":
		return ddns.KeepIt, nil
	case "true", "false":
		return 0, wrongf("%q is in quotes; write %s without them", text, text)
	}
	return 0, wrongf("%q is none of keep, true and false; write keep to leave what stands at Cloudflare", text)
}

// parseNumber reads a whole number or one of the words that stand for one.
func parseNumber(text string, words map[string]int) (int, error) {
	if n, ok := words[text]; ok {
		return n, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n == 0 || strconv.Itoa(n) != text {
		choices := strings.Join(slices.Sorted(maps.Keys(words)), ", ")
		return 0, wrongf("%q is not a number; write %s or a whole number", text, choices)
	}
	return n, nil
}

func parseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, wrongf("%q is not a level; write debug, info, warn or error", text)
}
