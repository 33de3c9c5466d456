package ddns

// EdgeAnswer is what Cloudflare's edge answered when it was asked for a page
// of a proxied name.
type EdgeAnswer struct {
	Status int // of the HTTP answer
	// CloudflareError is the number of the error page that Cloudflare itself
	// made: 1016 when it cannot resolve the record's target, 522 when the
	// origin is silent, …; 0 if the answer is no such page.
	CloudflareError int
	Challenge       bool   // a page that asks for a browser, shown to what is none
	Cloudflare      bool   // the answer came through Cloudflare, whoever wrote it
	Location        string // where a redirect points; it was not followed
}
