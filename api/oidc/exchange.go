package oidc

import (
	"errors"

	"golang.org/x/oauth2"
)

// exchangeFailed tells a provider that refuses the code (it was used before,
// say, or our secret is wrong) from one that does not answer.
func exchangeFailed(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.ErrorCode == "" {
		return unavailable(err)
	}
	return refused(err, answer.ErrorCode)
}
