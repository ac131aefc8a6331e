package stick

import (
	"strings"

	"github.com/stickpress/stickpress/agent/fat"
	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/volume"
)

// shortDigits is how much of a stick's ID its labels have room for: the last
// seven digits of base 32, all of which are random.
const shortDigits = 7

// ShortName is the part of a stick's ID that its volume labels carry, always
// seven characters: what a person sees of a stick that is plugged in
// somewhere, and can read out on the telephone.
func ShortName(stickID string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '0'
	}, strings.ToUpper(stickID))
	digits = strings.Repeat("0", shortDigits) + digits
	return digits[len(digits)-shortDigits:]
}

// SystemLabel is the label of a stick's FAT32 volume: as long as FAT allows,
// and like all of FAT in upper case.
func SystemLabel(stickID string) string { return "UFD-" + ShortName(stickID) }

// WindowsLabel is the label of a stick's NTFS volume, which Windows shows
// beside the drive letter.
func WindowsLabel(stickID string) string { return "UFD-Windows " + ShortName(stickID) }

// labels puts both labels into all their places.
func (p Personal) labels(places Places) ([]volume.Patch, error) {
	system, err := fat.EncodeLabel(SystemLabel(p.StickID))
	if err != nil {
		return nil, err
	}
	var all []volume.Patch
	for _, at := range places.FATLabel {
		all = append(all, volume.Patch{Offset: at, Bytes: system})
	}
	for _, place := range places.NTFSLabel {
		more, err := volume.Place(place, ntfs.EncodeLabel(WindowsLabel(p.StickID)))
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}
