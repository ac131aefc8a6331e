package agent

import (
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// State is who this host is and which server it belongs to: agent.json in the
// data directory, readable by its owner alone because of the key.
type State struct {
	URL       string `json:"url"` // "https://stickpress.example", no trailing slash
	HostID    string `json:"host_id"`
	Name      string `json:"name"`
	Key       []byte `json:"key"`        // ed25519 seed; never leaves this file
	ServerKey []byte `json:"server_key"` // ed25519 public key, pinned when enrolled
	// CAFingerprint is the SHA-256, in hex, of a certificate that the
	// server's chain must contain; empty means the system's roots.
	CAFingerprint string `json:"ca_fingerprint,omitempty"`
}

// ErrNotEnrolled is returned by LoadState where there is no agent.json.
var ErrNotEnrolled = errors.New("this host is not enrolled")

func statePath(dir string) string { return filepath.Join(dir, "agent.json") }

// LoadState reads the state of the data directory dir. It refuses a file that
// others may read.
func LoadState(dir string) (*State, error) {
	path := statePath(dir)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no %s", ErrNotEnrolled, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s holds this host's key and has mode %#o: make it 0600", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	s := new(State)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("decode %s: %w", path, err)
	}
	if len(s.Key) != ed25519.SeedSize || len(s.ServerKey) != ed25519.PublicKeySize || s.HostID == "" || s.URL == "" {
		return nil, fmt.Errorf("%s is not complete: enrol again with --force", path)
	}
	return s, nil
}

// Save replaces agent.json in dir at once or not at all.
func (s *State) Save(dir string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	f, err := os.CreateTemp(dir, "agent.json.*") // 0600
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := os.Rename(f.Name(), statePath(dir)); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

func (s *State) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(s.Key) }

// TLS is how this host checks its server's certificate.
func (s *State) TLS() (*tls.Config, error) { return trust(s.CAFingerprint) }
