package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// release and releasedOn are set when a release is built (see Makefile). The
// date also tells a clock that is wrong: none is right before it.
var (
	release    = "dev"
	releasedOn = "2026-11-24"
)

func version() string { return release }

// versionLine is the version with the day and what it was built with and for.
func versionLine() string {
	return fmt.Sprintf("%s (%s, %s, %s/%s)", version(), releasedOn, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func userAgent() string { return "cfddns/" + version() + " (+https://github.com/cfddns/cfddns)" }

// released is the day this program was built.
func released() time.Time {
	day, err := time.Parse(time.DateOnly, releasedOn)
	if err != nil {
		return time.Time{}
	}
	return day
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  cfddns version --output json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json() {
				return json.NewEncoder(a.stdout).Encode(map[string]string{"version": version(), "date": releasedOn,
					"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			sayf(a.stdout, "cfddns %s\n", versionLine())
			return nil
		},
	}
}

// portOf is the port of a URL.
func portOf(text string) uint16 {
	u, err := url.Parse(text)
	if err != nil {
		return 443
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(port)
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}
