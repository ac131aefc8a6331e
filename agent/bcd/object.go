package bcd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/stickpress/stickpress/agent/hive"
)

// Object is one object of a store.
type Object struct {
	ID       GUID
	Type     ObjectType
	Elements []Element
}

// ObjectType says what an object is for.
type ObjectType uint32

// The types of objects that [Store.Encode] writes (bcd.h).
const (
	TypeBootManager    ObjectType = 0x10100002
	TypeLoader         ObjectType = 0x10200003
	TypeResume         ObjectType = 0x10200004
	TypeMemoryTest     ObjectType = 0x10200005
	TypeSettings       ObjectType = 0x20100000 // inherited by any object
	TypeLoaderSettings ObjectType = 0x20200003 // inherited by loaders
	TypeResumeSettings ObjectType = 0x20200004 // inherited by resumes
)

// Element is one setting of an object.
type Element struct {
	Type ElementType
	Data hive.Value // as stored; its name is "Element"
}

// ElementType names a setting. The first hexadecimal digit says which objects may have it, the second one its
// format: 1 device, 2 text, 3 GUID, 4 GUIDs, 5 number, 6 truth, 7 numbers.
type ElementType uint32

// elementName is the name of an element's value.
const elementName = "Element"

func text(t ElementType, s string) Element { return Element{t, hive.SZ(elementName, s)} }

func guid(t ElementType, g GUID) Element { return Element{t, hive.SZ(elementName, g.Braced())} }

func device(t ElementType, d Device) Element { return Element{t, hive.Binary(elementName, d.encode())} }

func guids(t ElementType, list ...GUID) Element {
	texts := make([]string, len(list))
	for i, g := range list {
		texts[i] = g.Braced()
	}
	return Element{t, hive.MultiSZ(elementName, texts...)}
}

// numbers serves formats 5 and 7, which store one number alike.
func numbers(t ElementType, list ...uint64) Element {
	var data []byte
	for _, n := range list {
		data = binary.LittleEndian.AppendUint64(data, n)
	}
	return Element{t, hive.Binary(elementName, data)}
}

func truth(t ElementType, b bool) Element {
	data := []byte{0}
	if b {
		data[0] = 1
	}
	return Element{t, hive.Binary(elementName, data)}
}

// Format is the second digit of the type.
func (t ElementType) Format() int { return int(t >> 24 & 0xf) }

// Device returns the partition that an element of format 1 names. Other kinds of device are [ErrType].
func (e Element) Device() (Device, error) {
	if err := e.want(1, hive.TypeBinary); err != nil {
		return nil, err
	}
	return decodeDevice(e.Data.Data)
}

// Text returns the text of an element of format 2, or [ErrType].
func (e Element) Text() (string, error) {
	if err := e.want(2, hive.TypeSZ); err != nil {
		return "", err
	}
	return e.Data.Text()
}

// GUIDs returns the GUIDs of an element of format 3, which has one, or 4, or [ErrType].
func (e Element) GUIDs() ([]GUID, error) {
	var texts []string
	var err error
	if e.Type.Format() == 3 {
		texts = make([]string, 1)
		texts[0], err = e.Data.Text()
	} else if err = e.want(4, hive.TypeMultiSZ); err == nil {
		texts, err = e.Data.Texts()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrType, err)
	}
	list := make([]GUID, len(texts))
	for i, s := range texts {
		if list[i], err = ParseGUID(s); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrType, err)
		}
	}
	return list, nil
}

// Number returns the number of an element of format 5, or [ErrType].
func (e Element) Number() (uint64, error) {
	if err := e.want(5, hive.TypeBinary); err != nil {
		return 0, err
	}
	if len(e.Data.Data) != 8 {
		return 0, fmt.Errorf("%w: %08x is a number of %d bytes", ErrType, e.Type, len(e.Data.Data))
	}
	return binary.LittleEndian.Uint64(e.Data.Data), nil
}

// Truth returns the truth of an element of format 6, or [ErrType].
func (e Element) Truth() (bool, error) {
	if err := e.want(6, hive.TypeBinary); err != nil {
		return false, err
	}
	if len(e.Data.Data) != 1 {
		return false, fmt.Errorf("%w: %08x is a truth of %d bytes", ErrType, e.Type, len(e.Data.Data))
	}
	return e.Data.Data[0] != 0, nil
}

func (e Element) want(format int, typ hive.Type) error {
	if e.Type.Format() != format || e.Data.Type != typ {
		return fmt.Errorf("%w: %08x holds a value of type %d", ErrType, e.Type, e.Data.Type)
	}
	return nil
}

// Element finds an element of the object by its type.
func (o Object) Element(t ElementType) (Element, bool) {
	for _, e := range o.Elements {
		if e.Type == t {
			return e, true
		}
	}
	return Element{}, false
}

// key is the object as the store has it.
func (o Object) key() hive.Key {
	elements := hive.Key{Name: "Elements"}
	for _, e := range o.Elements {
		elements.Keys = append(elements.Keys, hive.Key{Name: fmt.Sprintf("%08x", uint32(e.Type)), Values: []hive.Value{e.Data}})
	}
	return hive.Key{Name: o.ID.Braced(), Keys: []hive.Key{
		{Name: "Description", Values: []hive.Value{hive.DWORD("Type", uint32(o.Type))}},
		elements,
	}}
}

// Decode reads the objects of a store, ours or another's, in the order of the store. It returns [ErrNotStore] if the
// hive is no boot store or an object is malformed, and the errors of [hive.Open].
func Decode(file []byte) ([]Object, error) {
	h, err := hive.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open boot store: %w", err)
	}
	if _, err := h.Value("Description", "KeyName"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStore, err)
	}
	keys, err := h.Tree("Objects")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStore, err)
	}
	var objects []Object
	for _, k := range keys.Keys {
		o, err := decodeObject(k)
		if err != nil {
			return nil, fmt.Errorf("%w: object %s: %w", ErrNotStore, k.Name, err)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func decodeObject(k hive.Key) (o Object, err error) {
	if o.ID, err = ParseGUID(k.Name); err != nil {
		return Object{}, err
	}
	typed := false
	for _, sub := range k.Keys {
		switch sub.Name {
		case "Description":
			for _, v := range sub.Values {
				if v.Name != "Type" {
					continue
				}
				n, err := v.Uint32()
				if err != nil {
					return Object{}, err
				}
				o.Type, typed = ObjectType(n), true
			}
		case "Elements":
			for _, e := range sub.Keys {
				n, err := strconv.ParseUint(e.Name, 16, 32)
				if err != nil {
					return Object{}, fmt.Errorf("element %q: %w", e.Name, err)
				}
				if len(e.Values) != 1 || e.Values[0].Name != elementName {
					return Object{}, fmt.Errorf("element %q has no data", e.Name)
				}
				o.Elements = append(o.Elements, Element{ElementType(n), e.Values[0]})
			}
		}
	}
	if !typed {
		return Object{}, errors.New("it has no type")
	}
	return o, nil
}
