package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/store"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	oldKey, newKey := bytes.Repeat([]byte{1}, store.MasterKeySize), bytes.Repeat([]byte{2}, store.MasterKeySize)
	before, err := store.NewKeyring(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := before.Seal([]byte("Passw0rd!"), "row 1")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed.Box, []byte("Passw0rd")) {
		t.Error("the secret is in the box")
	}
	rotated, err := store.NewKeyring(newKey, oldKey)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := rotated.Open(sealed, "row 1")
	if err != nil || string(plain) != "Passw0rd!" {
		t.Errorf("after a rotation: %q, %v", plain, err)
	}
	_, err = rotated.Open(sealed, "row 2")
	wantCode(t, err, store.CodeSealBroken)
	changed := store.Sealed{KeyID: sealed.KeyID, Box: append([]byte{}, sealed.Box...)}
	changed.Box[len(changed.Box)-1] ^= 1
	_, err = rotated.Open(changed, "row 1")
	wantCode(t, err, store.CodeSealBroken)
	_, err = rotated.Open(store.Sealed{KeyID: sealed.KeyID, Box: sealed.Box[:5]}, "row 1")
	wantCode(t, err, store.CodeSealBroken)
	lost, err := store.NewKeyring(newKey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lost.Open(sealed, "row 1")
	wantCode(t, err, store.CodeKeyMissing)
	var no *store.Keyring
	_, err = no.Seal(nil, "")
	wantCode(t, err, store.CodeKeyMissing)
	if _, err := store.NewKeyring([]byte("short")); err == nil {
		t.Error("a short key was taken")
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	rings := make([]*store.Keyring, 4)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			ring, err := store.LoadKeyring(path)
			if err != nil {
				t.Error(err)
			}
			rings[i] = ring
		})
	}
	wg.Wait()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	sealed, err := rings[0].Seal([]byte("x"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rings[1:] {
		if _, err := r.Open(sealed, ""); err != nil {
			t.Errorf("programs that start together have different keys: %v", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for name, text := range map[string]string{"empty": "", "no base64": "%%%\n", "short": "AAAA\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.LoadKeyring(path); err == nil {
			t.Errorf("%s: a broken file was taken", name)
		}
	}
}
