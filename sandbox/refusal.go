package sandbox

import (
	"fmt"
	"net/http"
)

// refusal is a mistake that Cloudflare's API answers with a code and words.
// Programs decide by status and code; people read the words.
type refusal struct {
	status  int // HTTP
	code    int
	message string
	chain   []message // causes of the error
	more    []message // further errors
}

func (r *refusal) Error() string { return fmt.Sprintf("%s (%d)", r.message, r.code) }

func refuse(status, code int, format string, args ...any) *refusal {
	return &refusal{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// invalid is a refusal of what the caller wrote.
func invalid(code int, format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, code, format, args...)
}

const sameName = " For more details, refer to <https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/>."

func errNoRecord() *refusal { return refuse(http.StatusNotFound, 81044, "Record does not exist.") }
func errQuota() *refusal    { return invalid(81045, "Record quota exceeded.") }
func errHostTaken() *refusal {
	return invalid(81053, "An A, AAAA, or CNAME record with that host already exists."+sameName)
}
func errCNAMEThere() *refusal {
	return invalid(81054, "A CNAME record with that host already exists."+sameName)
}
func errNotOnlyNS() *refusal { return invalid(81055, "Non-NS records with that host already exist.") }
func errNSThere() *refusal   { return invalid(81056, "NS records with that host already exist.") }
func errIdentical() *refusal { return invalid(81058, "An identical record already exists.") }
func errType() *refusal      { return invalid(9002, "DNS record type is invalid.") }
func errName() *refusal      { return invalid(9000, "DNS name is invalid.") }
func errBody() *refusal      { return invalid(9207, "Request body is invalid.") }
