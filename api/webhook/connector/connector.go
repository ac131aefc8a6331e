// Package connector is what is particular to each ticket system: how its
// deliveries are verified (verify.go), how their bodies become one JSON
// document (body.go), which part of that is what of a request (mapping.go), and
// how state is written back to a ticket (reply.go).
//
// It is pure: it neither listens nor calls, knows no database and no clock of
// its own. What a system does is written where it was read: in its vendor's
// documentation or, where that is silent, in its source.
package connector

import "slices"

// System is a kind of ticket system.
type System string

// The systems.
const (
	ServiceNow   System = "servicenow"
	Jira         System = "jira" // Jira Service Management, Cloud and Data Center
	Zammad       System = "zammad"
	GLPI         System = "glpi" // 11 and later: earlier ones sign nothing
	Freshservice System = "freshservice"
	Generic      System = "generic" // anything that can POST
)

// Systems lists the systems in the order in which they are offered.
var Systems = []System{ServiceNow, Jira, Zammad, GLPI, Freshservice, Generic}

// Method is how deliveries prove where they come from.
type Method string

// The methods.
const (
	// MethodBasic is HTTP Basic (RFC 7617). The password is the connector's
	// secret, or a token of the console, whose role then decides.
	MethodBasic Method = "basic"
	// MethodHeader is a header of any name whose value is the secret, bare or
	// after "Bearer ".
	MethodHeader Method = "header"
	// MethodHubSHA256 is X-Hub-Signature: sha256=HEX, an HMAC of the body
	// (https://developer.atlassian.com/cloud/jira/platform/webhooks/, "Secure admin webhooks").
	MethodHubSHA256 Method = "hub_sha256"
	// MethodHubSHA1 is X-Hub-Signature: sha1=HEX, an HMAC of the body (Zammad,
	// lib/user_agent.rb, set_signature).
	MethodHubSHA1 Method = "hub_sha1"
	// MethodGLPI is X-GLPI-signature: HEX, an HMAC-SHA256 of the body followed by
	// the value of X-GLPI-timestamp (GLPI 11, src/Webhook.php, raise and getSignature).
	MethodGLPI Method = "glpi"
)

// Signed reports whether the method proves the body, too.
func (m Method) Signed() bool { return m == MethodHubSHA256 || m == MethodHubSHA1 || m == MethodGLPI }

// Methods lists how a system can prove itself, its usual way first.
func (s System) Methods() []Method {
	switch s {
	case ServiceNow:
		return []Method{MethodBasic, MethodHeader}
	case Jira:
		// Webhooks of System > WebHooks are signed; the "Send web request" of an
		// automation rule has headers of the rule's own.
		return []Method{MethodHubSHA256, MethodHeader, MethodBasic}
	case Zammad:
		return []Method{MethodHubSHA1, MethodBasic}
	case GLPI:
		return []Method{MethodGLPI}
	case Freshservice:
		return []Method{MethodBasic, MethodHeader}
	case Generic:
		return []Method{MethodHeader, MethodBasic, MethodHubSHA256}
	}
	return nil
}

// Has reports whether a system can prove itself so.
func (s System) Has(m Method) bool { return slices.Contains(s.Methods(), m) }

// DefaultHeader is the header that MethodHeader asks for until an admin says
// otherwise.
const DefaultHeader = "X-Stickpress-Secret"
