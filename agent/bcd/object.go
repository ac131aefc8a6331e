package bcd

import (
	"encoding/binary"
	"fmt"

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
