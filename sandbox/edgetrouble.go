package sandbox

import "net/http"

// edgeTrouble is an error that Cloudflare itself answers with.
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/
type edgeTrouble struct {
	status   int
	code     int // the 1xxx code, or the status again for a 5xx
	name     string
	title    string
	detail   string
	category string // of the JSON answer
	again    bool   // worth trying again
	owner    bool   // only the owner of the site can mend it
	after    int    // Retry-After, in seconds; 0 means none
}

// edgeTroubles are all that the edge can have.
func edgeTroubles() []edgeTrouble {
	return []edgeTrouble{
		{status: 403, code: 1000, name: "dns_points_to_prohibited_ip", category: "dns", title: "DNS points to prohibited IP",
			detail: "The record of this host points at an address of Cloudflare.", owner: true},
		{status: 409, code: 1001, name: "dns_resolution_error", category: "dns", title: "DNS resolution error",
			detail: "This host is not configured on Cloudflare, or its record is not proxied.", owner: true},
		{status: 403, code: 1006, name: "ip_banned", category: "access", title: "Access denied: your IP address has been banned",
			detail: "The owner of this site has banned your address."},
		{status: 403, code: 1009, name: "country_banned", category: "access", title: "Access denied: country or region banned",
			detail: "The owner of this site has banned the country or region that your address is in."},
		{status: 403, code: 1010, name: "browser_signature_banned", category: "access", title: "The owner of this site has banned your access based on your browser's signature",
			detail: "The Browser Integrity Check took this client for no browser."},
		{status: 409, code: 1014, name: "cname_cross_user_banned", category: "dns", title: "CNAME cross-user banned",
			detail: "The CNAME of this host leads to a name in another account of Cloudflare.", owner: true},
		{status: http.StatusTooManyRequests, code: 1015, name: "rate_limited", category: "rate_limit", title: "You are being rate limited",
			detail: "The owner of this site has limited the requests of one client.", again: true, after: 30},
		{status: 530, code: 1016, name: "origin_dns_error", category: "dns", title: "Origin DNS error",
			detail: "Cloudflare cannot resolve the origin that this host points at.", owner: true},
		{status: 403, code: 1020, name: "access_denied", category: "access", title: "Access denied",
			detail: "A rule of this site's owner blocks this request."},
		{status: 530, code: 1033, name: "argo_tunnel_error", category: "origin", title: "Cloudflare Tunnel error",
			detail: "This host is served by a tunnel, and no cloudflared is connected to it.", again: true, owner: true, after: 120},
		{status: 409, code: 1034, name: "edge_ip_restricted", category: "dns", title: "Edge IP restricted",
			detail: "The record of this host points at an address of Cloudflare that serves no sites.", owner: true},
		{status: 500, code: 500, name: "internal_server_error", category: "edge", title: "Internal server error",
			detail: "Something went wrong at Cloudflare.", again: true},
		{status: 502, code: 502, name: "bad_gateway", category: "edge", title: "Bad gateway",
			detail: "Cloudflare got no valid answer for this request.", again: true},
		{status: 504, code: 504, name: "gateway_timeout", category: "edge", title: "Gateway time-out",
			detail: "Cloudflare got no answer for this request in time.", again: true},
		{status: 520, code: 520, name: "web_server_returns_an_unknown_error", category: "origin", title: "Web server is returning an unknown error",
			detail: "The origin answered what is no HTTP.", again: true, owner: true},
		{status: 521, code: 521, name: "web_server_is_down", category: "origin", title: "Web server is down",
			detail: "The origin refused the connection.", again: true, owner: true},
		{status: 522, code: 522, name: "connection_timed_out", category: "origin", title: "Connection timed out",
			detail: "No connection to the origin came about in time.", again: true, owner: true},
		{status: 523, code: 523, name: "origin_is_unreachable", category: "origin", title: "Origin is unreachable",
			detail: "There is no route to the origin.", again: true, owner: true},
		{status: 524, code: 524, name: "a_timeout_occurred", category: "origin", title: "A timeout occurred",
			detail: "The origin accepted the connection and did not answer in time.", again: true, owner: true},
		{status: 525, code: 525, name: "ssl_handshake_failed", category: "origin", title: "SSL handshake failed",
			detail: "The origin would not agree on TLS.", owner: true},
		{status: 526, code: 526, name: "invalid_ssl_certificate", category: "origin", title: "Invalid SSL certificate",
			detail: "The origin's certificate is expired, for another name, or signed by nobody who is trusted.", owner: true},
	}
}

// troubleOf returns the error with a code; one that is not known is error 500.
func troubleOf(code int) edgeTrouble {
	var internal edgeTrouble
	for _, t := range edgeTroubles() {
		if t.code == code {
			return t
		}
		if t.code == http.StatusInternalServerError {
			internal = t
		}
	}
	return internal
}
