package hive

import "fmt"

// security returns a security cell: a descriptor that keys share, counted, in a ring of all such cells.
func (h *Hive) security(off uint32) ([]byte, error) {
	c, err := h.signed(off, "sk", securityHeader)
	if err != nil {
		return nil, err
	}
	if int64(u32(c, securitySize)) > int64(len(c)-securityHeader) {
		return nil, fmt.Errorf("%w: security descriptor at offset %#x has %d bytes", ErrCorrupt, off, u32(c, securitySize))
	}
	return c, nil
}

// defaultSecurity is the self-relative descriptor O:BAG:BAD:(A;CI;KA;;;SY)(A;CI;KA;;;BA): SYSTEM and the
// administrators may do everything, with the keys below it too. Layout: [MS-DTYP] 2.4.6.
var defaultSecurity = []byte{
	1, 0, 0x04, 0x80, // revision; control: self-relative, has a DACL
	0x48, 0, 0, 0, // owner at 0x48
	0x58, 0, 0, 0, // group at 0x58
	0, 0, 0, 0, // no SACL
	0x14, 0, 0, 0, // DACL at 0x14
	2, 0, 0x34, 0, 2, 0, 0, 0, // ACL revision 2, 52 bytes, 2 entries
	0, 2, 0x14, 0, 0x3f, 0, 0x0f, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0, // allow, inherit; KEY_ALL_ACCESS; S-1-5-18
	0, 2, 0x18, 0, 0x3f, 0, 0x0f, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0, // the same; S-1-5-32-544
	1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0, // owner S-1-5-32-544
	1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0, // group S-1-5-32-544
}
