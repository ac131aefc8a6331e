package ntfs

import (
	"encoding/binary"
	"fmt"

	"github.com/stickpress/stickpress/agent/volume"
)

// Descriptor is a self-relative security descriptor ([MS-DTYP] 2.4.6).
type Descriptor []byte

// Well-known SIDs ([MS-DTYP] 2.4.2.4) in their binary form.
var (
	sidSystem         = []byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}                   // S-1-5-18
	sidAdministrators = []byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 0x02, 0, 0} // S-1-5-32-544
)

// SystemAndAdministrators is the descriptor for what carries secrets: owned
// by Administrators, full control for SYSTEM and Administrators, nobody else,
// and nothing inherited. For a directory the entries pass on to what is made
// in it.
func SystemAndAdministrators(directory bool) Descriptor {
	const (
		control    = 0x8000 | 0x1000 | 0x0004 // self-relative, DACL protected, DACL present
		fullAccess = 0x001F01FF
		inherit    = 0x03 // OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE
		headerLen  = 20
	)
	var aces []byte
	for _, sid := range [][]byte{sidSystem, sidAdministrators} {
		flags := byte(0)
		if directory {
			flags = inherit
		}
		aces = append(aces, 0, flags) // ACCESS_ALLOWED_ACE_TYPE
		aces = binary.LittleEndian.AppendUint16(aces, uint16(8+len(sid)))
		aces = binary.LittleEndian.AppendUint32(aces, fullAccess)
		aces = append(aces, sid...)
	}
	dacl := []byte{2, 0} // ACL_REVISION
	dacl = binary.LittleEndian.AppendUint16(dacl, uint16(8+len(aces)))
	dacl = binary.LittleEndian.AppendUint16(dacl, 2)
	dacl = append(dacl, 0, 0)
	dacl = append(dacl, aces...)
	owner := uint32(headerLen + len(dacl))
	group := owner + uint32(len(sidAdministrators))

	d := []byte{1, 0}
	d = binary.LittleEndian.AppendUint16(d, control)
	d = binary.LittleEndian.AppendUint32(d, owner)
	d = binary.LittleEndian.AppendUint32(d, group)
	d = binary.LittleEndian.AppendUint32(d, 0) // no SACL
	d = binary.LittleEndian.AppendUint32(d, headerLen)
	d = append(d, dacl...)
	d = append(d, sidAdministrators...)
	return append(d, sidSystem...)
}

// $STANDARD_INFORMATION (ntfsdoc): version 3 is 72 bytes long and refers to a
// descriptor in $Secure by its ID; 0 refers to none, and then the file's own
// $SECURITY_DESCRIPTOR counts.
const (
	stdSecurityID = 52 // u32
	stdVersion3   = 72
)

// SetDescriptor returns the patches that give a file its own security
// descriptor, in place of one of its own or of a shared one in $Secure.
func (v *Volume) SetDescriptor(f *File, d Descriptor) ([]volume.Patch, error) {
	patches, err := v.editRecord(f.number, func(rec []byte) error {
		if _, listed, err := findAttribute(rec, func(a attribute) bool { return a.typ == attrList }); err != nil || listed {
			if err == nil {
				err = fmt.Errorf("attributes are spread over several records")
			}
			return err
		}
		std, ok, err := findAttribute(rec, func(a attribute) bool { return a.typ == attrStandardInformation })
		if err != nil {
			return err
		}
		if !ok {
			return corrupt("no $STANDARD_INFORMATION")
		}
		value, err := std.value()
		if err != nil {
			return err
		}
		if len(value) >= stdVersion3 {
			clear(value[stdSecurityID : stdSecurityID+4])
		}
		return setResident(rec, attrSecurityDescriptor, d)
	})
	if err != nil {
		return nil, fmt.Errorf("set the security descriptor of ntfs record %d: %w", f.number, err)
	}
	return patches, nil
}

// editRecord returns the patches that a change of one MFT record needs: the
// record with new fix-ups and, for the first records, its copy in $MFTMirr.
func (v *Volume) editRecord(n int64, edit func(rec []byte) error) ([]volume.Patch, error) {
	rec, err := v.record(n)
	if err != nil {
		return nil, err
	}
	if err := edit(rec); err != nil {
		return nil, err
	}
	if err := redoFixups(rec); err != nil {
		return nil, err
	}
	places, err := v.copies(n)
	if err != nil {
		return nil, err
	}
	var patches []volume.Patch
	for _, place := range places {
		more, err := volume.Place(place, rec)
		if err != nil {
			return nil, err
		}
		patches = append(patches, more...)
	}
	return patches, nil
}

// setResident replaces or adds an unnamed resident attribute, keeping the
// attributes of the record sorted by type.
func setResident(rec []byte, typ uint32, value []byte) error {
	at, removed := -1, 0
	instance := binary.LittleEndian.Uint16(rec[recNextInstance:])
	end := 0
	for a, err := range attributes(rec) {
		if err != nil {
			return err
		}
		switch {
		case a.typ == typ && !a.resident():
			return fmt.Errorf("attribute %#x is not resident", typ)
		case a.typ == typ && removed == 0:
			at, removed, instance = a.at, len(a.raw), a.instance()
		case a.typ > typ && at < 0:
			at = a.at
		}
		end = a.at + len(a.raw)
	}
	if at < 0 {
		at = end
	}
	length := (attrResidentMin + len(value) + 7) / 8 * 8
	used := int(binary.LittleEndian.Uint32(rec[recUsed:]))
	grown := used + length - removed
	if grown > len(rec) {
		return fmt.Errorf("MFT record has no room: %d of %d bytes used, %d more needed", used, len(rec), length-removed)
	}
	if removed == 0 {
		binary.LittleEndian.PutUint16(rec[recNextInstance:], instance+1)
	}
	copy(rec[at+length:grown], rec[at+removed:used])
	clear(rec[grown:]) // nothing of an old tail stays behind
	a := rec[at : at+length]
	clear(a)
	binary.LittleEndian.PutUint32(a, typ)
	binary.LittleEndian.PutUint32(a[attrLength:], uint32(length))
	binary.LittleEndian.PutUint16(a[attrNameOffset:], attrResidentMin)
	binary.LittleEndian.PutUint16(a[attrInstance:], instance)
	binary.LittleEndian.PutUint32(a[attrValueLength:], uint32(len(value)))
	binary.LittleEndian.PutUint16(a[attrValueOffset:], attrResidentMin)
	copy(a[attrResidentMin:], value)
	binary.LittleEndian.PutUint32(rec[recUsed:], uint32(grown))
	return nil
}
