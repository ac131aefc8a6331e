package oidc

import (
	"errors"

	"golang.org/x/oauth2"

	"github.com/stickpress/stickpress/api/fault"
)

// exchangeFailed tells a provider that refuses the code (it was used before,
// say, or our secret is wrong) from one that does not answer.
func exchangeFailed(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode == "" {
		return unavailable(err)
	}
	code := refused.ErrorCode
	if !errorCode.MatchString(code) {
		code = "unknown"
	}
	return fault.Wrap(err, fault.KindUnauthenticated, CodeRefused, "reason", code)
}
