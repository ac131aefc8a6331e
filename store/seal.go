package store

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/stickpress/stickpress/api/fault"
)

// Keyring seals secrets at rest: XChaCha20-Poly1305 under a master key, with a
// random 24-byte nonce before the ciphertext. The first key seals; the others
// only open what was sealed before the last rotation.
type Keyring struct {
	keys []sealKey
}

type sealKey struct {
	id   string
	aead cipher.AEAD
}

// Sealed is a secret at rest and the ID of the key that opens it.
type Sealed struct {
	KeyID string
	Box   []byte
}

// MasterKeySize is the length of a master key, in bytes.
const MasterKeySize = chacha20poly1305.KeySize

// NewKeyring takes master keys of MasterKeySize bytes, the current one first.
func NewKeyring(keys ...[]byte) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a keyring needs a key")
	}
	k := &Keyring{}
	for i, key := range keys {
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return nil, fmt.Errorf("master key %d: %w", i+1, err)
		}
		sum := sha256.Sum256(append([]byte("stickpress key id\x00"), key...))
		k.keys = append(k.keys, sealKey{id: hex.EncodeToString(sum[:8]), aead: aead})
	}
	return k, nil
}

// LoadKeyring reads a master key file: one key a line, in base64, the current
// one first. A file that does not exist is made, with one new key, readable by
// its owner alone; of two programs that make it at once both use the same one.
// The file belongs into no backup: a backup without it holds no secrets.
func LoadKeyring(path string) (*Keyring, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKeyFile(path); err != nil {
			return nil, fmt.Errorf("make the master key file: %w", err)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the master key file: %w", err)
	}
	var keys [][]byte
	for i, line := range strings.Fields(string(text)) {
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("read the master key file %s: key %d is not base64", path, i+1)
		}
		keys = append(keys, key)
	}
	k, err := NewKeyring(keys...)
	if err != nil {
		return nil, fmt.Errorf("read the master key file %s: %w", path, err)
	}
	return k, nil
}

// makeKeyFile writes a new key beside path and links it into place, so that
// the file is never seen half written and never replaces another.
func makeKeyFile(path string) error {
	key := make([]byte, MasterKeySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".master-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Missing are those of the named keys that are not in the ring.
func (k *Keyring) Missing(ids []string) (missing []string) {
	for _, id := range ids {
		if !slices.ContainsFunc(k.keys, func(have sealKey) bool { return have.id == id }) {
			missing = append(missing, id)
		}
	}
	return missing
}

// Seal encrypts plain. Context is bound to the result without being part of
// it: what was sealed for one row does not open for another.
func (k *Keyring) Seal(plain []byte, context string) (Sealed, error) {
	if k == nil {
		return Sealed{}, fault.New(fault.KindInternal, CodeKeyMissing)
	}
	key := k.keys[0]
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	if _, err := rand.Read(nonce); err != nil {
		return Sealed{}, fmt.Errorf("make a nonce: %w", err)
	}
	return Sealed{KeyID: key.id, Box: key.aead.Seal(nonce, nonce, plain, []byte(context))}, nil
}

// Open decrypts what Seal made with the same context. A key that is not in the
// ring is the fault master_key_missing, changed bytes are seal_broken.
func (k *Keyring) Open(s Sealed, context string) ([]byte, error) {
	if k != nil {
		for _, key := range k.keys {
			if key.id != s.KeyID {
				continue
			}
			if len(s.Box) < chacha20poly1305.NonceSizeX {
				return nil, fault.New(fault.KindInternal, CodeSealBroken)
			}
			nonce, box := s.Box[:chacha20poly1305.NonceSizeX], s.Box[chacha20poly1305.NonceSizeX:]
			plain, err := key.aead.Open(nil, nonce, box, []byte(context))
			if err != nil {
				return nil, fault.Wrap(err, fault.KindInternal, CodeSealBroken)
			}
			return plain, nil
		}
	}
	return nil, fault.New(fault.KindInternal, CodeKeyMissing, "key", s.KeyID)
}
