package api_test

import (
	"fmt"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// Whoever has a whole site of IPv6 is stopped as one, and stops nobody else.
func TestLargeNetworksAreLimited(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	try := func(address string) error {
		_, err := f.RedeemSignInLink(t.Context(), anyone(address), "x")
		return err
	}
	for i := range 240 {
		wantFault(t, try(fmt.Sprintf("2001:db8:1:%x::1", i)), "token_invalid")
	}
	wantFault(t, try("2001:db8:1:ffff::1"), api.CodeTooManyAttempts)
	wantFault(t, try("2001:db8:2:ffff::1"), "token_invalid")
	wantFault(t, try("203.0.113.9"), "token_invalid")
}
