package view

import (
	"time"

	"github.com/stickpress/stickpress/api/diff"
)

// ComparedVersion is one version of a thing.
type ComparedVersion struct {
	ID     string
	Number int
	At     time.Time
	By     string
}

// Comparison is two versions of a thing side by side.
type Comparison struct {
	Path     string // of the thing
	Name     string
	Revision int64
	Versions []ComparedVersion // newest first
	From, To ComparedVersion
	Rows     []diff.Row
	Restores bool // the reader may make From the current version again
}

// Choose takes the versions with these IDs, or the newest and the one before.
func (c *Comparison) Choose(from, to string) {
	c.To = c.Versions[0]
	c.From = c.Versions[min(1, len(c.Versions)-1)]
	for _, v := range c.Versions {
		switch v.ID {
		case from:
			c.From = v
		case to:
			c.To = v
		}
	}
}

// old reports whether From is not the current version.
func (c *Comparison) old() bool { return c.From.ID != c.Versions[0].ID }
