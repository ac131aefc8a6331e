package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A passphrase is as long as it has characters, whatever its language.
func TestPassphraseLength(t *testing.T) {
	t.Parallel()
	for secret, ok := range map[string]bool{
		"correct hors": true, "correct hor\r\n": false, strings.Repeat("马", minPassphrase) + "\n": true, strings.Repeat("马", minPassphrase-1): false,
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		keys := backupKeys{passphraseFile: path}
		if _, err := keys.lock(&cobra.Command{}); (err == nil) != ok {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
