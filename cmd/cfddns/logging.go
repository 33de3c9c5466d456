package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// parseLevel reads a level; no word is info.
func parseLevel(word string) (slog.Level, error) {
	if word == "" {
		return slog.LevelInfo, nil
	}
	var level slog.Level
	switch word {
	case "debug", "info", "warn", "error":
		return level, level.UnmarshalText([]byte(word))
	default:
		return level, fmt.Errorf("no level %q", word)
	}
}

// level is that of the flag, else the configured one.
func (a *app) level(configured slog.Level) slog.Level {
	if flag, err := parseLevel(a.logLevel); err == nil && a.logLevel != "" {
		return flag
	}
	return configured
}

// logger writes the daemon's log: JSON, or text. Where the journal
// reads, it keeps the time, and each line begins with its priority (sd-daemon(3)).
func (a *app) logger(level slog.Leveler, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	handler := func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
	if format == "json" {
		handler = func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
	}
	if !isStream(a.stderr, a.getenv("JOURNAL_STREAM")) {
		return slog.New(handler(a.stderr))
	}
	options.ReplaceAttr = withoutTime
	return slog.New(newPriorityHandler(a.stderr, handler))
}

func withoutTime(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && (attr.Key == slog.TimeKey || attr.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return attr
}

// priorityHandler puts the priority that journald understands before each line.
type priorityHandler struct {
	slog.Handler
	out *priorityWriter
}

// priorityWriter takes the line of the wrapped handler and sends it on behind
// its priority, in one write.
type priorityWriter struct {
	mu   sync.Mutex // guards the following
	line bytes.Buffer
	to   io.Writer
}

// Write implements io.Writer for the wrapped handler, under the lock of Handle.
func (w *priorityWriter) Write(p []byte) (int, error) { return w.line.Write(p) }

func newPriorityHandler(to io.Writer, inner func(io.Writer) slog.Handler) slog.Handler {
	out := &priorityWriter{to: to}
	return priorityHandler{inner(out), out}
}

// Handle implements slog.Handler.
func (h priorityHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	priority := 6
	switch {
	case r.Level >= slog.LevelError:
		priority = 3
	case r.Level >= slog.LevelWarn:
		priority = 4
	case r.Level < slog.LevelInfo:
		priority = 7
	}
	_, err := fmt.Fprintf(h.out.to, "<%d>%s\n", priority, strings.TrimRight(h.out.line.String(), "\n"))
	return err
}

// WithAttrs implements slog.Handler.
func (h priorityHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return priorityHandler{h.Handler.WithAttrs(attrs), h.out}
}

// WithGroup implements slog.Handler.
func (h priorityHandler) WithGroup(name string) slog.Handler {
	return priorityHandler{h.Handler.WithGroup(name), h.out}
}
