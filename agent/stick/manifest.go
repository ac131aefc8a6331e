package stick

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// recipeVersion is part of every digest: raise it when Prepare makes
// something else of the same Spec, and old masters are not used any more.
const recipeVersion = 2

const manifestName = "manifest.json"

// manifest describes a finished master. It is written last, so that a folder
// without one is no master.
type manifest struct {
	Recipe     recipe     `json:"recipe"`
	Partitions []partFile `json:"partitions"`
	Chunks     []chunk    `json:"chunks"` // by their offset on the device
	Places     Places     `json:"places"`
}

// recipe is a Spec without what has no influence on the content.
type recipe struct {
	Version                 int    `json:"version"`
	ImageSHA256             string `json:"image_sha256"`
	Edition                 int    `json:"edition"`
	Layout                  string `json:"layout"`
	CapacityClass           int64  `json:"capacity_class"`
	SectorSize              int    `json:"sector_size"`
	BootSignature           string `json:"boot_signature"`
	PortableOperatingSystem bool   `json:"portable_operating_system"`
}

func (s Spec) recipe() recipe {
	return recipe{
		recipeVersion, s.ImageSHA256, s.Edition, s.Layout, s.CapacityClass, s.SectorSize, s.BootSignature,
		s.PortableOperatingSystem,
	}
}

// Digest names the master of a Spec: lower-case hex of a SHA-256.
func (s Spec) Digest() string {
	raw, err := json.Marshal(s.recipe())
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:])
}

// envelope keeps a hash beside the manifest's bytes.
type envelope struct {
	SHA256   digest          `json:"sha256"`
	Manifest json.RawMessage `json:"manifest"`
}

// errNoMaster says that there is no finished, undamaged master.
var errNoMaster = errors.New("no usable master")

func (m *manifest) write(dir string) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	whole, err := json.Marshal(envelope{sha256.Sum256(raw), raw})
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, manifestName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	_, err = f.Write(whole)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// readManifest returns an error that wraps errNoMaster for everything that
// another Prepare mends.
func readManifest(dir string, want recipe) (*manifest, error) {
	whole, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoMaster
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var e envelope
	if err := json.Unmarshal(whole, &e); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", errNoMaster, err)
	}
	if digest(sha256.Sum256(e.Manifest)) != e.SHA256 {
		return nil, fmt.Errorf("%w: manifest is damaged", errNoMaster)
	}
	var m manifest
	if err := json.Unmarshal(e.Manifest, &m); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", errNoMaster, err)
	}
	if m.Recipe != want {
		return nil, fmt.Errorf("%w: manifest of another recipe", errNoMaster)
	}
	return &m, nil
}
