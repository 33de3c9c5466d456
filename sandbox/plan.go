package sandbox

// plan is what a zone's plan allows.
// https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/
// and https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/
type plan struct {
	title   string // as the API names it
	records int    // in the zone
	batch   int    // operations in one batch
	comment int    // characters
	tags    int    // of a record
	minTTL  int    // seconds, DNS only
}

// planNamed returns the plan of a seed file's word; "" means free.
func planNamed(word string) (plan, bool) {
	switch word {
	case "", "free":
		return plan{title: "Free Website", records: 200, batch: 200, comment: 100, tags: 0, minTTL: 60}, true
	case "pro":
		return plan{title: "Pro Website", records: 3500, batch: 3500, comment: 500, tags: 20, minTTL: 60}, true
	case "business":
		return plan{title: "Business Website", records: 3500, batch: 3500, comment: 500, tags: 20, minTTL: 60}, true
	case "enterprise":
		return plan{title: "Enterprise Website", records: 1_000_000, batch: 3500, comment: 500, tags: 20, minTTL: 30}, true
	}
	return plan{}, false
}
