package configs

import (
	"maps"
	"slices"
	"strings"
)

// Other programs take a token, or the Global API Key, from variables of other
// names: lego and Traefik from CF_DNS_API_TOKEN, acme.sh from CF_Token, wrangler
// from CLOUDFLARE_API_KEY. Somebody who set one of them believes that cfddns
// reads it.
// https://go-acme.github.io/lego/dns/cloudflare/
// https://github.com/acmesh-official/acme.sh/wiki/dnsapi
// https://developers.cloudflare.com/workers/wrangler/system-environment-variables/

// unreadVariables says which variables of the environment seem to be meant for
// us, are not read, and what to do instead.
func unreadVariables(vars map[string]string) (texts []string) {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if instead := otherVariable(name); instead != "" {
			texts = append(texts, name+" is set, and cfddns does not read it: "+instead)
		}
	}
	return texts
}

// otherVariable says what to do instead of setting a variable; "" if the
// variable is none that means a token.
func otherVariable(name string) (instead string) {
	upper := strings.ToUpper(name)
	ours, others := strings.CutPrefix(upper, prefix)
	rest, found := ours, others
	for _, start := range []string{"CF_", "CLOUDFLARE_"} {
		if after, ok := strings.CutPrefix(upper, start); ok {
			rest, found = after, true
		}
	}
	if !found || slices.Contains([]string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN_FILE",
		"CFDDNS_CLOUDFLARE_TOKEN", "CFDDNS_CLOUDFLARE_TOKEN_FILE"}, name) {
		return ""
	}
	word, isFile := strings.CutSuffix(rest, "_FILE")
	switch {
	case slices.Contains(tokenWords, word) && isFile:
		return "name the file of the token in CLOUDFLARE_API_TOKEN_FILE"
	case slices.Contains(tokenWords, word):
		return "put the token into CLOUDFLARE_API_TOKEN"
	case slices.Contains(keyWords, word):
		return "the Global API Key may do everything; make an API token with Zone Read and DNS Edit, and put it into " +
			"CLOUDFLARE_API_TOKEN"
	}
	return ""
}

// tokenWords and keyWords are what stands behind CF_, CLOUDFLARE_ or CFDDNS_.
var (
	tokenWords = []string{"TOKEN", "API_TOKEN", "APITOKEN", "DNS_TOKEN", "DNS_API_TOKEN", "ZONE_TOKEN",
		"ZONE_API_TOKEN", "AUTH_TOKEN", "BEARER_TOKEN", "ACCESS_TOKEN", "API_TOKENS", "CLOUDFLARE_API_TOKEN"}
	keyWords = []string{"KEY", "API_KEY", "APIKEY", "AUTH_KEY", "GLOBAL_KEY", "GLOBAL_API_KEY", "API_KEY_V2", "EMAIL",
		"API_EMAIL", "AUTH_EMAIL"}
)
