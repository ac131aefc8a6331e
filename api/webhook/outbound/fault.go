package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/api/fault"
)

// The codes of this package's faults, with their parameters.
const (
	CodeURLInvalid  fault.Code = "url_invalid"         //
	CodeNotHTTPS    fault.Code = "url_not_https"       // host
	CodeNotAllowed  fault.Code = "address_not_allowed" // host, address
	CodeUnresolved  fault.Code = "name_not_resolved"   // host
	CodeUnreached   fault.Code = "connection_failed"   // host
	CodeCertificate fault.Code = "certificate_refused" // host
	CodeLate        fault.Code = "answer_late"         // host, seconds
	CodeBroken      fault.Code = "answer_broken"       // host
	CodeRedirect    fault.Code = "redirect_refused"    // host, status, to: the host that it leads to
)

func notAllowed(host, address string) *fault.Error {
	return fault.New(fault.KindInvalid, CodeNotAllowed, "host", host, "address", address)
}

func notHTTPS(host string) *fault.Error {
	return fault.New(fault.KindInvalid, CodeNotHTTPS, "host", host)
}

// failed tells apart why no answer came, or not all of it. answering: its header
// was there. ctx is the request's, with its limit.
func failed(ctx context.Context, host string, err error, answering bool) *fault.Error {
	var (
		refused *fault.Error
		name    *net.DNSError
		dial    *net.OpError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		alert   tls.AlertError
		record  tls.RecordHeaderError
		timeout net.Error
	)
	// What it is wrapped in names the URL.
	say := func(code fault.Code, pairs ...any) *fault.Error {
		return fault.Wrap(innermost(err), fault.KindUnavailable, code, append([]any{"host", host}, pairs...)...)
	}
	switch {
	case errors.As(err, &refused):
		return refused
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return say(CodeLate, "seconds", strconv.Itoa(int(Timeout/time.Second)))
	case errors.As(err, &name):
		return say(CodeUnresolved)
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &alert), errors.As(err, &record),
		errors.Is(err, http.ErrSchemeMismatch):
		return say(CodeCertificate)
	case !answering && errors.As(err, &dial) && dial.Op == "dial":
		return say(CodeUnreached)
	}
	return say(CodeBroken)
}

// innermost is the cause without what net/http says around it.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
