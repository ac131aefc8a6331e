package hive_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"www.velocidex.com/golang/regparser"

	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/hive/hivetest"
)

// sample has a value of each type, names in several scripts, and data at the limits of each form of storage.
var sample = hive.Key{Name: "ROOT", Values: []hive.Value{
	hive.SZ("", "the default value"),
	hive.SZ(`quo"te\backslash`, ""),
	hive.ExpandSZ("expand", `%SystemRoot%\system32`),
	hive.DWORD("dword", 0xfffffffe),
	{Name: "qword", Type: hive.TypeQWORD, Data: []byte{5, 0, 0, 0, 0, 0, 0, 0x80}},
	hive.MultiSZ("multi", "one", "zwei", "三"),
	hive.MultiSZ("nothing"),
	hive.Binary("bytes0", nil),
	hive.Binary("bytes4", []byte{1, 2, 3, 4}),
	hive.Binary("bytes5", []byte{1, 2, 3, 4, 5}),
	hive.Binary("page", bytes.Repeat([]byte{0xa5}, 4096)),
	hive.Binary("largest", bytes.Repeat([]byte{0x5a}, hive.MaxValue)),
	{Name: "other type", Type: 0x1234, Data: []byte{9}},
	hive.SZ("Größe", "14 µm"),
	hive.SZ("名称", "𝄞"),
}, Keys: []hive.Key{
	{Name: "zeta"},
	{Name: "Éclair", Values: []hive.Value{hive.DWORD("x", 1)}},
	{Name: "alpha", Keys: []hive.Key{{Name: "设置 [1]", Keys: []hive.Key{{Name: "deep"}}}}},
	{Name: "_under"}, // sorts behind upper-case letters, before lower-case ones
	{Name: "Beta"},
	{Name: "a"},
}}

func wide(n int) hive.Key {
	k := hive.Key{Name: "wide"}
	for i := range n {
		k.Keys = append(k.Keys, hive.Key{Name: fmt.Sprintf("Key%d", i), Values: []hive.Value{hive.DWORD("n", uint32(i))}})
	}
	return k
}

func deep(n int) hive.Key {
	k := hive.Key{Name: "bottom"}
	for range n - 1 {
		k = hive.Key{Name: "level", Keys: []hive.Key{k}}
	}
	return k
}

func write(t testing.TB, k hive.Key) []byte {
	t.Helper()
	file, err := hive.Write(k, hive.Options{Name: "TEST", Time: time.Date(2025, 1, 2, 3, 4, 5, 600, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func open(t testing.TB, file []byte) *hive.Hive {
	t.Helper()
	h, err := hive.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// audit fails the test if the hive is not in order, or has other than leaked unused cells.
func audit(t testing.TB, h *hive.Hive, leaked int) {
	t.Helper()
	got, err := h.Audit()
	if err != nil {
		t.Fatal(err)
	}
	if got != leaked {
		t.Fatalf("%d cells are allocated and unused, expected %d", got, leaked)
	}
}

func same(t testing.TB, what string, got, want hive.Key) {
	t.Helper()
	if diff := cmp.Diff(hivetest.Lines(want), hivetest.Lines(got)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// velocidex reads a tree with Velocidex regparser, without the values' data.
func velocidex(t testing.TB, file []byte) hive.Key {
	t.Helper()
	r, err := regparser.NewRegistry(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(k *regparser.CM_KEY_NODE) hive.Key
	walk = func(k *regparser.CM_KEY_NODE) hive.Key {
		out := hive.Key{Name: k.Name()}
		for _, v := range k.Values() {
			out.Values = append(out.Values, hive.Value{Name: v.ValueName()})
		}
		for _, sub := range k.Subkeys() {
			out.Keys = append(out.Keys, walk(sub))
		}
		return out
	}
	return walk(r.OpenKey(""))
}

// names is a tree without the values' data.
func names(k hive.Key) hive.Key {
	out := hive.Key{Name: k.Name}
	for _, v := range k.Values {
		out.Values = append(out.Values, hive.Value{Name: v.Name})
	}
	for _, sub := range k.Keys {
		out.Keys = append(out.Keys, names(sub))
	}
	return out
}

func TestWrite(t *testing.T) {
	t.Parallel()
	for name, tree := range map[string]hive.Key{
		"sample": sample, "root only": {Name: "ROOT"},
		"one leaf": wide(506), "two leaves": wide(507), "many leaves": wide(1600), "deep": deep(200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := write(t, tree)
			same(t, "hivex reads", hivetest.Export(t, file), tree)
			hivetest.Info(t, file)
			h := open(t, file)
			audit(t, h, 0)
			back, err := h.Tree("")
			if err != nil {
				t.Fatal(err)
			}
			same(t, "read back", back, tree)
			if !bytes.Equal(h.Bytes(), file) {
				t.Fatal("an unchanged hive is not returned as it was")
			}
		})
	}
}

func TestWriteReadByVelocidex(t *testing.T) {
	t.Parallel()
	tree := wide(600) // it reads names as ASCII only
	same(t, "regparser reads", velocidex(t, write(t, tree)), names(tree))
}

func TestWriteLimits(t *testing.T) {
	t.Parallel()
	root := func(values []hive.Value, keys ...hive.Key) hive.Key {
		return hive.Key{Name: "ROOT", Values: values, Keys: keys}
	}
	for name, tree := range map[string]hive.Key{
		"value too big":       root([]hive.Value{hive.Binary("b", make([]byte, hive.MaxValue+1))}),
		"value name too long": root([]hive.Value{hive.DWORD(strings.Repeat("v", 16384), 1)}),
		"equal values":        root([]hive.Value{hive.DWORD("Same", 1), hive.DWORD("sAME", 1)}),
		"no root name":        {},
		"no key name":         root(nil, hive.Key{}),
		"key name too long":   root(nil, hive.Key{Name: strings.Repeat("k", 256)}),
		"backslash in name":   root(nil, hive.Key{Name: `a\b`}),
		"equal keys":          root(nil, hive.Key{Name: "Straße"}, hive.Key{Name: "STRAßE"}),
		"too deep":            deep(513),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := hive.Write(tree, hive.Options{}); !errors.Is(err, hive.ErrLimit) {
				t.Fatalf("got %v, expected ErrLimit", err)
			}
		})
	}
	if _, err := hive.Write(sample, hive.Options{Name: strings.Repeat("n", 32)}); !errors.Is(err, hive.ErrLimit) {
		t.Fatalf("file name: got %v, expected ErrLimit", err)
	}
	largest := hive.Key{Name: strings.Repeat("r", 255), Values: []hive.Value{hive.DWORD(strings.Repeat("v", 16383), 1)}}
	same(t, "names at the limit", hivetest.Export(t, write(t, largest)), largest)
	write(t, deep(512))
}

// TestWriteLayout holds that the cells' places depend on lengths only: boot stores rely on it.
func TestWriteLayout(t *testing.T) {
	t.Parallel()
	a := hive.Key{Name: "R", Keys: []hive.Key{{Name: "aaa", Keys: []hive.Key{{Name: "x"}}}, {Name: "bbb"}, {Name: "ccc"}}}
	b := hive.Key{Name: "R", Keys: []hive.Key{{Name: "zzz", Keys: []hive.Key{{Name: "x"}}}, {Name: "yyy"}, {Name: "ddd"}}}
	at := func(k hive.Key, s string) int { return bytes.Index(write(t, k), []byte(s)) }
	for _, pair := range [][2]string{{"aaa", "zzz"}, {"bbb", "yyy"}, {"ccc", "ddd"}} {
		if x, y := at(a, pair[0]), at(b, pair[1]); x != y || x < 0 {
			t.Errorf("%s lies at %d, %s at %d", pair[0], x, pair[1], y)
		}
	}
}
