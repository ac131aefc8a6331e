// Package sample makes a small image shaped like a Windows installation image.
//
// It is what a newcomer presses when no install.wim is at hand, and what tests
// press because Microsoft's files may not be shipped. The result is a real WIM
// (LZX, two editions) whose content has the shape that the stick engine works
// on: registry hives with the values that it reads and changes, boot files in
// the folders where Windows keeps them, answer files that would shadow ours,
// hard links, a symbolic link, an alternate data stream, names beyond ASCII,
// many small files and a few big ones. Its boot managers are stand-ins that
// start under real firmware and say what they found (see UEFIBootManager).
// It does not contain Windows: no stick pressed from it starts one.
//
// Needs wimlib-imagex (wimtools), mkntfs and ntfscp (ntfs-3g) and grub-mkimage
// with its modules (grub-common, grub-efi-amd64-bin, grub-pc-bin); no root.
package sample

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Options say how big the sample is. The zero value means the defaults, which
// give a WIM of about 34 MB that holds 1,570 files (65 MB). Negative means none.
type Options struct {
	SmallFiles int   // files of up to 16 KiB; default 1500
	BigFiles   int   // default 4
	BigBytes   int64 // bytes of each big file; default 8 MiB
	// ImageState is the image's state of generalization in its registry;
	// default IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE.
	ImageState string
}

// Editions of the image, by index from 1.
var Editions = []Edition{
	{ID: "Enterprise", Name: "Windows 11 Enterprise"},
	{ID: "Education", Name: "Windows 11 Education"},
}

// Edition is one image inside the WIM.
type Edition struct{ ID, Name string }

// Facts about the image that its description carries.
const (
	Build    = 26100
	Language = "en-US"
)

// revision makes old cached samples go stale when the content made here changes.
const revision = 1

// Make returns the path of a sample WIM in dir, which must exist. It makes the
// file unless an earlier call with the same options did; the work happens beside
// it and the file appears whole. A failed call leaves nothing. Errors name the
// package to install when a tool is missing (for GRUB's they wrap ErrNoGRUB).
func Make(ctx context.Context, dir string, o Options) (string, error) {
	o = o.withDefaults()
	path := filepath.Join(dir, "sample-"+o.key()+".wim")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("make sample image: %w", err)
	}
	if err := checkTools(); err != nil {
		return "", fmt.Errorf("make sample image: %w", err)
	}
	work, err := os.MkdirTemp(dir, ".sample-")
	if err != nil {
		return "", fmt.Errorf("make sample image: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()

	wim, err := build(ctx, work, o)
	if err != nil {
		return "", fmt.Errorf("make sample image: %w", err)
	}
	if err := os.Rename(wim, path); err != nil {
		return "", fmt.Errorf("make sample image: %w", err)
	}
	return path, nil
}

func (o Options) withDefaults() Options {
	if o.SmallFiles == 0 {
		o.SmallFiles = 1500
	}
	if o.BigFiles == 0 {
		o.BigFiles = 4
	}
	if o.BigBytes == 0 {
		o.BigBytes = 12 << 20
	}
	if o.ImageState == "" {
		o.ImageState = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
	}
	return o
}

// key names everything that decides the content.
func (o Options) key() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %+v %s %x", revision, o, standInConfig, biosFront)
	return hex.EncodeToString(h.Sum(nil)[:6])
}
