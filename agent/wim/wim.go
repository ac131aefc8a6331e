// Package wim puts the content of WIM and ESD files onto volumes.
//
// A Tool does the work: wimlib on Linux (wimlib_linux.go). On Windows DISM
// applies to folders (dism.go), and what it applied is changed there. A Source
// is what they read. Before an image is applied it may be changed, without copying it and
// without touching the file: Stage writes a delta, a small WIM with the
// image's directory tree, its changes and the data of what was added, which
// refers to the original for all other data (delta_linux.go).
//
// The other way, a volume becomes a WIM file by Wimlib.Capture
// (capture_linux.go), without what agent/wim/exclusion lists.
//
// What WIM files say about themselves is read by agent/wim/header.
package wim

import (
	"context"
	"strings"
)

// Source is one image of a WIM or ESD file.
type Source struct {
	Path    string
	Edition int    // index inside the file, from 1
	Base    string // of a delta: the file that holds the data it lacks
}

// Change is one change of a staged image.
type Change struct {
	Delete string // path in the image exactly as List gave it; a directory goes with all below it
	Add    string // or: path in the image, its directory as List gave it
	From   string // what Add gets: a file or directory of this host
}

// Reader says what WIM and ESD files hold. Its errors are faults where the cause
// is known: image_corrupt, edition_missing, tool_missing, tool_failed; a
// cancelled call returns the cause of its context.
type Reader interface {
	// List returns the path of every file and directory of an image as
	// stored, with a leading / and / between names.
	List(ctx context.Context, src Source) ([]string, error)
	// Bytes returns how much file data an image holds, each hard link
	// counted once. It is what the image says about itself.
	Bytes(ctx context.Context, src Source) (int64, error)
}

// Tool is a Reader that puts images onto volumes in files. Its errors wrap
// syscall.ENOSPC when a target ran full: the volume that an image was applied
// to, or the disk under it. Which of the two the caller can tell.
type Tool interface {
	Reader
	// Extract copies files and directories, given as List gave them, into
	// the folder dest, keeping their paths. Security descriptors and
	// attributes are not kept.
	Extract(ctx context.Context, src Source, dest string, paths []string) error
	// Stage returns src with changes made to it, in order. What it writes is
	// a new file in the folder dir; src is not touched.
	Stage(ctx context.Context, src Source, dir string, changes []Change) (Source, error)
	// Apply puts an image onto the NTFS volume in the file volume, which is
	// freshly made. progress counts bytes of file data.
	Apply(ctx context.Context, src Source, volume string, progress func(done, total int64)) error
}

// Tree finds stored paths whatever the case they are asked for in.
type Tree struct {
	stored map[string][]string // by lower-case path
}

// NewTree indexes what Tool.List returned.
func NewTree(paths []string) *Tree {
	t := &Tree{make(map[string][]string, len(paths))}
	for _, p := range paths {
		key := strings.ToLower(p)
		t.stored[key] = append(t.stored[key], p)
	}
	return t
}

// Stored returns the path as it is stored; ok is false when the image does
// not hold it. Of several that differ in case alone it is the first.
func (t *Tree) Stored(path string) (stored string, ok bool) {
	if all := t.Variants(path); len(all) > 0 {
		return all[0], true
	}
	return "", false
}

// Variants returns every stored path that equals path but for case.
func (t *Tree) Variants(path string) []string {
	return t.stored[strings.ToLower("/"+strings.Trim(path, "/"))]
}
