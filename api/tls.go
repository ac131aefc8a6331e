package api

import (
	"context"
	"net/netip"
	"regexp"
	"strings"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/keypair"
	"github.com/stickpress/stickpress/store"
)

// TLSFiles is where this server takes a certificate from the console; nil
// functions mean that it does not, since it has files of its own or a proxy.
type TLSFiles struct {
	Keep func(cert, key []byte) error
	Kept func() bool
	Live bool // it is in use: another one takes its place at once
}

// KeepTLSInput is a pair as PEM, or the names to make one for.
type KeepTLSInput struct {
	Names string // separated by spaces or commas; empty: Cert and Key are given
	Cert  string
	Key   string
}

// nameForm is a DNS name (RFC 1123, section 2.1).
var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

const maxTLSNames = 20

// TLSFiles says whether KeepTLS can do anything here.
func (c *Console) TLSFiles() TLSFiles { return c.tls }

// KeepTLS keeps a certificate in this server's data folder (admin): a new
// self-signed one, or one that is brought. The server takes it at its next
// start, or at once if it serves one of there already. Other replicas have
// their own. Faults: tls_fixed, tls_names_invalid, tls_pair_invalid (detail).
func (c *Console) KeepTLS(ctx context.Context, a Actor, in KeepTLSInput) error {
	if err := allow(a, UseSaveSetting); err != nil {
		return err
	}
	if c.tls.Keep == nil {
		return fault.New(fault.KindConflict, CodeTLSFixed)
	}
	cert, key, err := c.pairOf(in)
	if err != nil {
		return err
	}
	if err := keypair.Check(cert, key, c.now()); err != nil {
		return fault.Wrap(err, fault.KindInvalid, CodeTLSPair, "detail", err.Error()).At("cert")
	}
	// The line comes first: no certificate is replaced without one.
	err = c.change(ctx, a, UseSaveSetting, func(tx *store.Tx, by store.Actor) error {
		after := map[string]any{"made_for": in.Names, "fingerprint": keypair.Fingerprint(cert)}
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseSaveSetting), ObjectKind: "setting", ObjectID: "tls-cert", After: after})
	})
	if err != nil {
		return err
	}
	return c.tls.Keep(cert, key)
}

func (c *Console) pairOf(in KeepTLSInput) (cert, key []byte, err error) {
	if in.Names == "" {
		return []byte(in.Cert), []byte(in.Key), nil
	}
	names := strings.FieldsFunc(in.Names, func(r rune) bool { return r == ' ' || r == ',' })
	ok := len(names) > 0 && len(names) <= maxTLSNames
	for _, n := range names {
		_, noAddress := netip.ParseAddr(n)
		ok = ok && (noAddress == nil || len(n) <= 253 && nameForm.MatchString(n))
	}
	if !ok {
		return nil, nil, fault.New(fault.KindInvalid, CodeTLSNames, "max", maxTLSNames).At("names")
	}
	return keypair.SelfSigned(names, c.now())
}
