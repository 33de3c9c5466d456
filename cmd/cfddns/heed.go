package main

import (
	"context"
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
		return c.Code == ddns.CodeToken || c.Code == ddns.CodePermission || c.Code == ddns.CodeNoZone
	})
}

// heedToken takes a new token from its file soon after it is there, where
// Cloudflare refuses the old one: nobody has to remember to tell the daemon.
func (d *theDaemon) heedToken(ctx context.Context) {
	look := time.NewTicker(heedEvery)
	defer look.Stop()
	tried := "" // the fingerprint of the last token that was taken, or could not be
	for {
		select {
		case <-look.C:
			tried = d.lookForToken(ctx, tried)
		case <-ctx.Done():
			return
		}
	}
}

// lookForToken looks for another token than the refused one, and takes it. All
// else of the configuration stays as it is in force. It returns the
// fingerprint of what it took.
func (d *theDaemon) lookForToken(ctx context.Context, tried string) string {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	cfg, fingerprint, wanted := d.tokenInUse()
	if !wanted {
		return tried
	}
	token, source, _, err := configs.Token(cfg, d.app.env)
	if err != nil {
		return tried // gone, or half written: what was said of the refused one stands
	}
	found := configs.Fingerprint(token)
	if found == fingerprint || found == tried {
		return tried
	}
	d.log.Info("another token is there than the one that Cloudflare refuses; it is taken", "token", source, "fingerprint", found)
	_ = d.use(ctx, cfg) // the log says why it could not be
	return found
}

// tokenInUse is the configuration in force, which token it led to, and whether
// another one is wanted.
func (d *theDaemon) tokenInUse() (cfg configs.Config, fingerprint string, wanted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.parts.config, d.parts.fingerprint, d.wantsToken
}
