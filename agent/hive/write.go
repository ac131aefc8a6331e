package hive

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// Options are what a new hive has besides its keys. The zero value is fine.
type Options struct {
	// Name is the file name that the base block mentions; at most 31 characters, which Windows never reads.
	Name string
	// Time is the stamp of all keys and of the hive. Without one the stamps are zero, which Windows accepts.
	Time time.Time
}

// Write makes a new hive of version 1.3 from a tree of keys. Lists of subkeys are sorted; values stay in the order
// given. Cells are laid out in the order given and depend on nothing but the lengths of names and data, so that
// two trees that differ in content only give files of equal length. It returns [ErrLimit] for what the format cannot
// hold: names that are too long, values above [MaxValue], two names in a key that differ by case only.
func Write(root Key, opts Options) ([]byte, error) {
	h := &Hive{Time: opts.Time, base: make([]byte, blockSize)}
	copy(h.base, "regf")
	put32(h.base, baseMajor, 1)
	put32(h.base, baseMinor, 3)
	put32(h.base, baseFormat, 1)
	put32(h.base, baseClustering, 1)
	put32(h.base, baseRoot, binHeader) // the first cell of the first bin
	for i, u := range newName(opts.Name) {
		if i == baseNameSize/2-1 {
			return nil, fmt.Errorf("write hive: %w: file name %q has more than %d characters", ErrLimit, opts.Name, i)
		}
		put16(h.base, baseName+2*i, u)
	}
	if err := h.writeRoot(root); err != nil {
		return nil, fmt.Errorf("write hive: %w", err)
	}
	put64(h.bins, binTime, filetime(opts.Time))
	return h.Bytes(), nil
}

func (h *Hive) writeRoot(root Key) error {
	n := newName(root.Name)
	if err := checkKeyName(n); err != nil {
		return err
	}
	raw, _ := n.encode()
	key, err := h.alloc(nkName + len(raw))
	if err != nil {
		return err
	}
	security, err := h.alloc(securityHeader + len(defaultSecurity))
	if err != nil {
		return err
	}
	sk, err := h.cell(security)
	if err != nil {
		return err
	}
	copy(sk, "sk")
	put32(sk, securityNext, security)
	put32(sk, securityPrevious, security)
	put32(sk, securityCount, uint32(count(root)))
	put32(sk, securitySize, uint32(len(defaultSecurity)))
	copy(sk[securityHeader:], defaultSecurity)
	if err := h.initKey(key, none, security, n, nkFlagRoot); err != nil {
		return err
	}
	return h.fill(key, security, root, 1)
}

// fill writes values and subkeys of a key whose own cell is there.
func (h *Hive) fill(key, security uint32, k Key, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: more than %d levels of keys", ErrLimit, maxDepth)
	}
	if err := h.fillValues(key, k.Values); err != nil {
		return fmt.Errorf("key %q: %w", k.Name, err)
	}
	if len(k.Keys) == 0 {
		return nil
	}
	type child struct {
		key uint32
		n   name
	}
	children := make([]child, 0, len(k.Keys))
	for _, sub := range k.Keys {
		n := newName(sub.Name)
		if err := checkKeyName(n); err != nil {
			return fmt.Errorf("key %q: %w", k.Name, err)
		}
		raw, _ := n.encode()
		off, err := h.alloc(nkName + len(raw))
		if err != nil {
			return err
		}
		if err := h.initKey(off, key, security, n, 0); err != nil {
			return err
		}
		if err := h.fill(off, security, sub, depth+1); err != nil {
			return err
		}
		children = append(children, child{off, n})
	}
	slices.SortFunc(children, func(a, b child) int { return a.n.compare(b.n) })
	var leaves []leaf
	longest := 0
	for i, c := range children {
		if i > 0 && children[i-1].n.compare(c.n) == 0 {
			return fmt.Errorf("key %q: %w: two keys %q", k.Name, ErrLimit, c.n)
		}
		if i%maxLeaf == 0 {
			leaves = append(leaves, leaf{off: none, kind: "lh"})
		}
		l := &leaves[len(leaves)-1]
		l.entries = append(l.entries, newEntry(l.kind, c.key, c.n))
		longest = max(longest, len(c.n))
	}
	if err := h.relink(key, leaves, none, -1); err != nil {
		return err
	}
	nk, err := h.nk(key)
	if err != nil {
		return err
	}
	put32(nk, nkSubkeys, uint32(len(children)))
	put32(nk, nkMaxSubkeyName, uint32(2*longest))
	return nil
}

func (h *Hive) fillValues(key uint32, values []Value) error {
	seen := make(map[string]bool, len(values))
	var offs []byte
	for _, v := range values {
		if err := v.check(); err != nil {
			return err
		}
		n := newName(v.Name)
		folded := n.upper().String()
		if seen[folded] {
			return fmt.Errorf("%w: two values %q", ErrLimit, v.Name)
		}
		seen[folded] = true
		off, err := h.newValue(n)
		if err != nil {
			return err
		}
		if err := h.setData(off, v); err != nil {
			return err
		}
		offs = binary.LittleEndian.AppendUint32(offs, off)
		if err := h.noteLargest(key, n, v); err != nil {
			return err
		}
	}
	return h.storeValueList(key, offs)
}

// count counts a key and all below it.
func count(k Key) int {
	n := 1
	for _, sub := range k.Keys {
		n += count(sub)
	}
	return n
}
