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

// leaveSecurity takes keys off the count of a security cell. A cell that no key uses any more is taken out of the
// ring and freed. Other programs count badly, so the last count is not believed but looked up.
func (h *Hive) leaveSecurity(off, keys uint32) error {
	sk, err := h.security(off)
	if err != nil {
		return err
	}
	if count := u32(sk, securityCount); count > keys {
		put32(sk, securityCount, count-keys)
		return nil
	}
	if users := h.securityUsers(off); users > 0 {
		put32(sk, securityCount, users)
		return nil
	}
	next, previous := u32(sk, securityNext), u32(sk, securityPrevious)
	nextCell, err := h.security(next)
	if err != nil {
		return fmt.Errorf("security cell after the one at offset %#x: %w", off, err)
	}
	previousCell, err := h.security(previous)
	if err != nil {
		return fmt.Errorf("security cell before the one at offset %#x: %w", off, err)
	}
	put32(previousCell, securityNext, next)
	put32(nextCell, securityPrevious, previous)
	return h.release(off)
}

// securityUsers counts the allocated cells that look like a key with this security cell. Data that happens to look
// so keeps the cell alive, which does no harm.
func (h *Hive) securityUsers(off uint32) uint32 {
	var users uint32
	for word, bits := range h.starts {
		for bit := 0; bits != 0; bit, bits = bit+1, bits>>1 {
			if bits&1 == 0 {
				continue
			}
			if nk, err := h.nk(uint32(word*512 + bit*8)); err == nil && u32(nk, nkSecurity) == off {
				users++
			}
		}
	}
	return users
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
