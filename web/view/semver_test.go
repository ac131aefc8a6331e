package view

import (
	"regexp"
	"testing"

	"github.com/Masterminds/semver/v3"
)

// The browser lets pass what the console takes, and nothing else.
func TestSemVer(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile("^(?:" + semVer + ")$")
	for _, number := range []string{
		"1.0.0", "0.0.4", "1.2.3-beta.1", "1.4.0-dev.12+g1a2b3c4", "1.0.0+20130313144700", "1.0.0-0A.is.legal", "1.0.0--", "10.20.30-rc.0",
		"", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-01", "1.0.0-", "1.0.0+", "1.0.0 ", "1.0.0.0", "1.0.0-a..b", "1.0.0-ä", "-1.0.0",
	} {
		_, err := semver.StrictNewVersion(number)
		if form.MatchString(number) != (err == nil) {
			t.Errorf("%q: the form says %t, the console %v", number, err != nil, err)
		}
	}
}
