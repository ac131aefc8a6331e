package protocol

import "crypto/ed25519"

// Contexts separate the signatures of a connection from each other and
// from any other use of the keys.
const (
	agentContext  = "stickpress agent v1\x00"
	serverContext = "stickpress server v1\x00"
	rejectContext = "stickpress reject v1\x00"
)

// NonceSize is the length of both nonces, in bytes.
const NonceSize = 32

// EnrollRequest is the body of POST PathEnroll: a single-use token is
// exchanged for a place in the inventory. The agent keeps the private key.
type EnrollRequest struct {
	Token     string `json:"token"`
	Name      string `json:"name"`
	PublicKey []byte `json:"public_key"`
	Version   string `json:"version"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
}

// EnrollResponse tells the agent its ID and the server's identity, which it
// pins: from now on only that key may give it work.
type EnrollResponse struct {
	HostID    string `json:"host_id"`
	ServerKey []byte `json:"server_key"`
}

// Challenge opens a connection.
type Challenge struct {
	Nonce     []byte `json:"nonce"`
	ServerKey []byte `json:"server_key"`
}

// Hello proves the host's key and says what the agent can do.
type Hello struct {
	HostID       string   `json:"host_id"`
	Nonce        []byte   `json:"nonce"`
	Signature    []byte   `json:"signature"`
	ProtocolMin  int      `json:"protocol_min"`
	ProtocolMax  int      `json:"protocol_max"`
	Version      string   `json:"version"`
	OS           string   `json:"os"`
	Arch         string   `json:"arch"`
	Hostname     string   `json:"hostname"`
	Capabilities []string `json:"capabilities"`
}

// Capabilities of an agent.
const (
	CapPress   = "press"   // builds sticks
	CapRaw     = "raw"     // writes disk images
	CapVerify  = "verify"  // compares sticks with what was recorded
	CapWipe    = "wipe"    // erases sticks
	CapCapture = "capture" // makes images of disks
	CapVirtual = "virtual" // offers virtual sticks
)

// Welcome accepts a Hello. Session is the host's new connection number;
// messages of an older one are ignored.
type Welcome struct {
	Protocol         int    `json:"protocol"`
	Session          int64  `json:"session"`
	Signature        []byte `json:"signature"`
	HeartbeatSeconds int    `json:"heartbeat_seconds"`
}

// Reject refuses a Hello; the server closes after it. Codes:
// host_unknown, host_revoked, proof_invalid, update_needed, too_many. What
// makes a host give up (host_revoked) counts only with the server's proof.
type Reject struct {
	Fault     *Fault `json:"fault"`
	Signature []byte `json:"signature,omitempty"` // see SignReject; none in an answer to enrolment
}

// Drain asks the agent to take no new work here and to reconnect after a
// random part of WithinMS milliseconds.
type Drain struct {
	WithinMS int64 `json:"within_ms"`
}

// Revoked tells a host that it was removed; it must not reconnect.
type Revoked struct{}

// SignAgent is the agent's proof for Hello.Signature.
func SignAgent(key ed25519.PrivateKey, c *Challenge, h *Hello) []byte {
	return ed25519.Sign(key, agentProof(c, h))
}

// VerifyAgent reports whether h proves key against the challenge c.
func VerifyAgent(key ed25519.PublicKey, c *Challenge, h *Hello) bool {
	return len(key) == ed25519.PublicKeySize && len(h.Nonce) == NonceSize &&
		ed25519.Verify(key, agentProof(c, h), h.Signature)
}

// SignServer is the server's proof for Welcome.Signature.
func SignServer(key ed25519.PrivateKey, c *Challenge, h *Hello) []byte {
	return ed25519.Sign(key, serverProof(c, h))
}

// VerifyServer reports whether w proves the pinned server key.
func VerifyServer(pinned ed25519.PublicKey, c *Challenge, h *Hello, w *Welcome) bool {
	return len(pinned) == ed25519.PublicKeySize && ed25519.Verify(pinned, serverProof(c, h), w.Signature)
}

// SignReject is the server's proof for Reject.Signature.
func SignReject(key ed25519.PrivateKey, c *Challenge, h *Hello, code string) []byte {
	return ed25519.Sign(key, rejectProof(c, h, code))
}

// VerifyReject reports whether r proves the pinned server key.
func VerifyReject(pinned ed25519.PublicKey, c *Challenge, h *Hello, r *Reject) bool {
	return len(pinned) == ed25519.PublicKeySize && r.Fault != nil &&
		ed25519.Verify(pinned, rejectProof(c, h, r.Fault.Code), r.Signature)
}

func agentProof(c *Challenge, h *Hello) []byte {
	return proof(agentContext, c.Nonce, h.Nonce, c.ServerKey, []byte(h.HostID))
}

func serverProof(c *Challenge, h *Hello) []byte {
	return proof(serverContext, h.Nonce, c.Nonce, []byte(h.HostID))
}

func rejectProof(c *Challenge, h *Hello, code string) []byte {
	return proof(rejectContext, h.Nonce, c.Nonce, []byte(h.HostID), []byte(code))
}

// proof joins its parts with their lengths, so that no two lists of parts
// give the same bytes.
func proof(context string, parts ...[]byte) []byte {
	b := []byte(context)
	for _, p := range parts {
		n := len(p)
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		b = append(b, p...)
	}
	return b
}
