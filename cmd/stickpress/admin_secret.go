package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"filippo.io/age"
	"github.com/spf13/cobra"
)

// backupKeys are the flags that say how a backup is locked.
type backupKeys struct {
	recipients, recipientFiles, identities []string
	passphraseFile                         string
}

func (k *backupKeys) addPassphrase(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.passphraseFile, "passphrase-file", "", "file with the passphrase in its first line (default: it is asked for)")
}

// minPassphrase is the least length of a passphrase of a backup, in characters:
// whoever has the file may guess for years.
const minPassphrase = 12

// lock is for whom a backup is to be.
func (k *backupKeys) lock(cmd *cobra.Command) ([]age.Recipient, error) {
	var out []age.Recipient
	for _, text := range k.recipients {
		r, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, wrong(cmd, "recipient %s: %v", text, err)
		}
		out = append(out, r...)
	}
	for _, path := range k.recipientFiles {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the recipients: %w", err)
		}
		r, err := age.ParseRecipients(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("read the recipients in %s: %w", path, err)
		}
		out = append(out, r...)
	}
	if len(out) > 0 {
		if k.passphraseFile != "" {
			return nil, wrong(cmd, "a backup has recipients or a passphrase, not both")
		}
		return out, nil
	}
	secret, err := k.passphrase(cmd, true)
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(secret) < minPassphrase {
		return nil, fmt.Errorf("the passphrase has less than %d characters: whoever has the file may guess for years", minPassphrase)
	}
	r, err := age.NewScryptRecipient(secret)
	return []age.Recipient{r}, err
}

// open is what a backup may be opened with.
func (k *backupKeys) open(cmd *cobra.Command) ([]age.Identity, error) {
	var out []age.Identity
	for _, path := range k.identities {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the key: %w", err)
		}
		ids, err := age.ParseIdentities(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("read the key in %s: %w", path, err)
		}
		out = append(out, ids...)
	}
	if len(out) > 0 {
		return out, nil
	}
	secret, err := k.passphrase(cmd, false)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(secret)
	return []age.Identity{id}, err
}

// passphrase reads it from its file, or asks for it: a new one twice.
func (k *backupKeys) passphrase(cmd *cobra.Command, fresh bool) (string, error) {
	if k.passphraseFile != "" {
		raw, err := os.ReadFile(k.passphraseFile)
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		return firstLine(raw), nil
	}
	in := cmd.InOrStdin()
	if !terminal(in) {
		return "", wrong(cmd, "there is nobody to ask for the passphrase: name its file with --passphrase-file")
	}
	first, err := askSecret(in, cmd.ErrOrStderr(), "Passphrase of the backup: ")
	if err != nil || !fresh {
		return first, err
	}
	second, err := askSecret(in, cmd.ErrOrStderr(), "Once more: ")
	if err == nil && first != second {
		err = errors.New("the two passphrases differ")
	}
	return first, err
}
