package fat

import (
	"fmt"
	"strings"

	"github.com/stickpress/stickpress/agent/volume"
)

// LabelBytes is the length of a volume label, padded with spaces.
const LabelBytes = 11

// LabelOffsets says where the LabelBytes bytes of the volume's label lie: in
// the boot sector, in its backup, and in the root directory, which is what
// Windows shows. ErrNotFound is wrapped when the directory has no label.
func (v *Volume) LabelOffsets() ([]int64, error) {
	offsets := []int64{bpbLabel}
	if v.backup != 0 {
		offsets = append(offsets, v.backup+bpbLabel)
	}
	root, err := v.chain(v.root)
	if err != nil {
		return nil, fmt.Errorf("root directory: %w", err)
	}
	if volume.Total(root) > maxDirectory {
		return nil, corrupt("root directory of %d bytes", volume.Total(root))
	}
	for _, e := range root {
		raw, err := volume.Read(v.r, []volume.Extent{e})
		if err != nil {
			return nil, fmt.Errorf("read root directory: %w", err)
		}
		for at := 0; at+dirEntry <= len(raw) && raw[at] != 0; at += dirEntry {
			if isLabel(raw[at : at+dirEntry]) {
				return append(offsets, e.Offset+int64(at)), nil
			}
		}
	}
	return nil, fmt.Errorf("volume label: %w", ErrNotFound)
}

// isLabel tells the label from files, folders and parts of long names
// (specification, ATTR_VOLUME_ID).
func isLabel(entry []byte) bool {
	return entry[0] != 0xE5 && entry[dirAttributes]&0x3F != attrLongName &&
		entry[dirAttributes]&(attrVolume|attrDirectory) == attrVolume
}

// EncodeLabel is how a label lies on a volume. FAT keeps no lower case.
func EncodeLabel(label string) ([]byte, error) {
	if len(label) > LabelBytes || strings.ToUpper(label) != label {
		return nil, fmt.Errorf("volume label %q: want at most %d upper-case characters", label, LabelBytes)
	}
	return append([]byte(label), strings.Repeat(" ", LabelBytes-len(label))...), nil
}
