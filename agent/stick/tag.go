package stick

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// TagName is the file on a stick's system volume that holds its Tag.
//
// It lies on the FAT32 volume and not beside Windows, because that one every
// computer reads, Macs too; because BitLocker does not lock it away; and
// because it can be read without a driver, and without waking a hibernated
// Windows, by whoever looks for the owner of a found stick, or for what a
// broken one carried. Where Windows hides that volume (gpt-uefi), the label of
// the other one names the stick.
const TagName = "stickpress.json"

// tagBytes is the length of the file on every stick, in bytes: JSON, and
// spaces behind it.
const tagBytes = 8 * kib

// tagFormat is raised when a field changes its meaning.
const tagFormat = 1

// Tag is the manifest of a stick: what it carries and where that comes from,
// for people and programs that have nothing but the stick. It holds no
// secrets; who has the stick is not in it either, the console knows.
type Tag struct {
	Format              int       `json:"stickpress"` // tagFormat
	Stick               string    `json:"stick"`
	Name                string    `json:"name"` // as on the labels, see ShortName
	Image               string    `json:"image"`
	ImageVersion        string    `json:"image_version"`
	ImageSHA256         string    `json:"image_sha256"`
	Edition             int       `json:"edition"`
	TaskSequence        string    `json:"task_sequence"`
	TaskSequenceVersion int       `json:"task_sequence_version"`
	Job                 string    `json:"job"`
	Build               string    `json:"build"`
	Attempt             int       `json:"attempt"`
	Reference           string    `json:"reference"` // the ticket
	Layout              string    `json:"layout"`
	DiskID              string    `json:"disk_id"` // MBR signature or disk GUID
	Master              string    `json:"master"`  // digest of the shared content
	PressedAt           time.Time `json:"pressed_at"`
}

// tag is the stick's own Tag, with what Personal knows better.
func (p Personal) tag(layout string) Tag {
	t := p.Tag
	t.Format, t.Stick, t.Name = tagFormat, p.StickID, ShortName(p.StickID)
	t.Layout, t.DiskID = layout, p.DiskID(layout)
	return t
}

// encode writes the file: always tagBytes long.
func (t Tag) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(t); err != nil {
		return nil, fmt.Errorf("write %s: %w", TagName, err)
	}
	if b.Len() > tagBytes {
		return nil, fmt.Errorf("write %s: %d bytes, there is room for %d", TagName, b.Len(), tagBytes)
	}
	return append(b.Bytes(), bytes.Repeat([]byte(" "), tagBytes-b.Len())...), nil
}

// ParseTag reads the content of a stick's TagName. It fails for what no stick
// of ours holds; fields of a later format are passed over.
func ParseTag(raw []byte) (Tag, error) {
	var t Tag
	if len(raw) > tagBytes {
		return Tag{}, fmt.Errorf("read %s: %d bytes", TagName, len(raw))
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return Tag{}, fmt.Errorf("read %s: %w", TagName, err)
	}
	if t.Format < tagFormat || t.Stick == "" {
		return Tag{}, fmt.Errorf("read %s: it names no stick", TagName)
	}
	return t, nil
}
