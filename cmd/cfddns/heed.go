package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

// heedEvery is how often a token that Cloudflare refuses is read again, until
// there is another one where it came from.
const heedEvery = 10 * time.Second

// wantsToken reports whether another token could mend what is wrong.
func wantsToken(r ddns.Round) bool {
	return slices.ContainsFunc(r.Conditions, func(c ddns.Condition) bool {
		switch c.Code {
		case ddns.CodeToken, ddns.CodeTokenFilter, ddns.CodePermission, ddns.CodeNoZone:
			return true
		default:
			return false
		}
	})
}

// heedToken takes a new token from its file soon after it is there, where
// Cloudflare refuses the old one: nobody has to remember to tell the daemon.
func (d *theDaemon) heedToken(ctx context.Context) {
	wait := heedEvery
	look := time.NewTimer(wait)
	defer look.Stop()
	tried := "" // the fingerprint of the last token that was taken, or could not be
	for {
		select {
		case <-look.C:
			var err error
			tried, err = d.lookForToken(ctx, tried)
			wait = heedAgain(wait, err)
			look.Reset(wait)
		case <-ctx.Done():
			return
		}
	}
}

// heedAgain is how long it is until the next look. Each at a file that hangs
// keeps a thread, so there are half as many each time, and a dozen in a day.
func heedAgain(wait time.Duration, err error) time.Duration {
	if errors.Is(err, configs.ErrHangs) {
		return 2 * wait
	}
	return heedEvery
}

// lookForToken looks for another token than the refused one, and takes it. All
// else of the configuration stays as it is in force. It returns the
// fingerprint of what it took, or why there was nothing to read.
func (d *theDaemon) lookForToken(ctx context.Context, tried string) (string, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	cfg, fingerprint, wanted := d.tokenInUse()
	if !wanted {
		return tried, nil
	}
	token, source, _, err := configs.Token(cfg, d.app.env)
	if err != nil {
		return tried, err // gone, or half written: what was said of the refused one stands
	}
	found := configs.Fingerprint(token)
	if found == fingerprint || found == tried {
		return tried, nil
	}
	d.log.Info("another token is there than the one that Cloudflare refuses; it is taken", "token", source, "fingerprint", found)
	_ = d.use(ctx, cfg) // the log says why it could not be
	return found, nil
}

// tokenInUse is the configuration in force, which token it led to, and whether
// another one is wanted.
func (d *theDaemon) tokenInUse() (cfg configs.Config, fingerprint string, wanted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.parts.config, d.parts.fingerprint, d.wantsToken
}
