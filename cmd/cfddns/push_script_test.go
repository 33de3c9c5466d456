package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/rogpeppe/go-internal/testscript"
)

// Scripts in which a client that routers run, unmodified, pushes to cfddns.
func TestRealClientsPush(t *testing.T) {
	needs.Programs(t, "ddclient", "inadyn")
	testscript.Run(t, scriptsIn("clients"))
}

// pushplace sets PUSH to a place at which nobody listens. Where all of 127/8 is
// ours, it is at an address that no other test takes a port of meanwhile.
func pushPlace(ts *testscript.TestScript, _ bool, _ []string) {
	at := "127.0.0.1:0"
	if runtime.GOOS == "linux" {
		at = fmt.Sprintf("127.77.%d.%d:0", rand.N(250)+1, rand.N(250)+1)
	}
	var c net.ListenConfig
	listener, err := c.Listen(context.Background(), "tcp", at)
	ts.Check(err)
	ts.Check(listener.Close())
	ts.Setenv("PUSH", listener.Addr().String())
}

// push USER PASSWORD QUERY pushes, as soon as somebody listens; the answer is
// compared by the file answer.
func pushAs(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, pushURL(ts.Getenv("PUSH"))+"?"+args[2], nil)
	ts.Check(err)
	request.SetBasicAuth(args[0], args[1])
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	response, err := http.DefaultClient.Do(request)
	for err != nil && ctx.Err() == nil {
		<-look.C
		response, err = http.DefaultClient.Do(request)
	}
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), body, 0o600))
}

// expand FILE… puts the variables of the script into files.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}
