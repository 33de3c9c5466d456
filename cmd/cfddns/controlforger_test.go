package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/cfddns/cfddns/configs"
)

// forged is what a forger says, and nobody may repeat.
const forged = "all is well\x1b[2J"

// forger listens where its arguments say, and answers as if it kept the
// configuration of its environment, until its input ends.
func forger() {
	syscall.Umask(0)
	for _, place := range os.Args[1:] {
		listener, err := net.Listen("unix", place)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		say := func(doc any) http.HandlerFunc { return func(w http.ResponseWriter, _ *http.Request) { answer(w, doc) } }
		mux := http.NewServeMux()
		mux.HandleFunc("/", say(map[string]any{"poked": true, "line": forged, "round": map[string]any{"exit": 0}}))
		mux.HandleFunc("/health", say(map[string]bool{"healthy": true}))
		same := configs.Place("", os.Environ())
		mux.HandleFunc("/config", say(InForce{Environment: same.Environment, Names: 1, PID: os.Getpid()}))
		go func() { _ = http.Serve(listener, mux) }() //nolint:gosec // ends with the process
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
