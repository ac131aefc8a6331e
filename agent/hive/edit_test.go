package hive_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/hive/hivetest"
)

// windowsHive is a hive that Windows itself wrote, from the test data of regparser.
func windowsHive(t testing.TB) []byte {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "www.velocidex.com/golang/regparser").Output()
	if err != nil {
		t.Fatalf("find the module regparser: %v", err)
	}
	file, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "testdata", "NTUSER.DAT"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// hivexHive is a hive that hivex filled: its own lists (lf), allocations and counts.
func hivexHive(t testing.TB) []byte {
	t.Helper()
	var reg strings.Builder
	reg.WriteString("[\\Services]\n\n")
	for i := range 700 {
		fmt.Fprintf(&reg, "[\\Services\\svc%d]\n\"Start\"=dword:%08x\n\"ImagePath\"=str(2):\"drivers\\\\svc%d.sys\"\n\n", i*7919%1000, i%5, i)
	}
	return hivetest.Merge(t, write(t, hive.Key{Name: "ROOT"}), reg.String())
}

// baseHives are the hives that the edit tests begin with.
func baseHives(t testing.TB) map[string][]byte {
	bases := map[string][]byte{
		"ours":       write(t, sample),
		"ours, wide": write(t, wide(1100)),
		"hivex":      hivexHive(t),
		"Windows":    windowsHive(t),
	}
	for _, kind := range []string{"li", "lf", "lh"} {
		h := open(t, write(t, wide(510)))
		if err := h.SetListKind("", kind); err != nil {
			t.Fatal(err)
		}
		h.SetVersion(5)
		bases["index of "+kind] = h.Bytes()
	}
	return bases
}

func tree(t testing.TB, h *hive.Hive) hive.Key {
	t.Helper()
	k, err := h.Tree("")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestForeignHives holds that we read what others write as others read it.
func TestForeignHives(t *testing.T) {
	t.Parallel()
	for name, file := range baseHives(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, file)
			same(t, "against hivex", tree(t, h), hivetest.Export(t, file))
			if !bytes.Equal(h.Bytes(), file) {
				t.Fatal("an unchanged hive is not returned as it was")
			}
		})
	}
}

// model is a plain tree on which every edit is repeated, for comparison.
type model struct{ root hive.Key }

func (m *model) key(path string, create bool) *hive.Key {
	at := &m.root
	for part := range strings.SplitSeq(path, `\`) {
		if part == "" {
			continue
		}
		i := slices.IndexFunc(at.Keys, func(k hive.Key) bool { return strings.EqualFold(k.Name, part) })
		if i < 0 {
			if !create {
				return nil
			}
			i = len(at.Keys)
			at.Keys = append(at.Keys, hive.Key{Name: part})
		}
		at = &at.Keys[i]
	}
	return at
}

func (m *model) set(path string, v hive.Value) {
	k := m.key(path, true)
	i := slices.IndexFunc(k.Values, func(o hive.Value) bool { return strings.EqualFold(o.Name, v.Name) })
	if i < 0 {
		k.Values = append(k.Values, v)
		return
	}
	v.Name = k.Values[i].Name // the first spelling stays
	k.Values[i] = v
}

// paths lists all keys below k.
func paths(k hive.Key, prefix string) []string {
	var out []string
	for _, sub := range k.Keys {
		out = append(out, prefix+sub.Name)
		out = append(out, paths(sub, prefix+sub.Name+`\`)...)
	}
	return out
}

func TestEditAtRandom(t *testing.T) {
	t.Parallel()
	for name, file := range baseHives(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			h := open(t, file)
			h.Time = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			leaked, err := h.Audit()
			if err != nil {
				t.Fatal(err)
			}
			m := &model{root: tree(t, h)}
			for step := range 400 {
				editOnce(t, random, h, m)
				if step%100 == 99 {
					audit(t, h, leaked)
					same(t, fmt.Sprintf("after step %d", step), tree(t, h), m.root)
				}
			}
			out := h.Bytes()
			same(t, "hivex reads", hivetest.Export(t, out), m.root)
			hivetest.Info(t, out)
			// hivex can go on where we stopped, and we where it stopped.
			merged := hivetest.Merge(t, out, "[\\Brand new]\n\n[\\Brand new\\key]\n\"v\"=dword:00000001\n\n")
			m.set(`Brand new\key`, hive.DWORD("v", 1))
			same(t, "after hivex", tree(t, open(t, merged)), m.root)
		})
	}
}

func editOnce(t *testing.T, random *rand.Rand, h *hive.Hive, m *model) {
	t.Helper()
	all := paths(m.root, "")
	path := ""
	if len(all) > 0 {
		path = all[random.IntN(len(all))]
	}
	var err error
	switch random.IntN(9) {
	case 0, 1, 2:
		path = strings.TrimPrefix(fmt.Sprintf(`%s\New%d\Sub %c`, path, random.IntN(300), 'À'+rune(random.IntN(60))), `\`)
		err = h.Set(path)
		m.key(path, true)
	case 3, 4, 5, 6:
		v := hive.Binary(fmt.Sprintf("Value%d", random.IntN(20)), make([]byte, []int{0, 1, 4, 5, 30, 500, 9000}[random.IntN(7)]))
		for i := range v.Data {
			v.Data[i] = byte(random.Uint32())
		}
		err = h.Set(strings.ToUpper(path), v)
		m.set(path, v)
	case 7:
		if k := m.key(path, false); len(k.Values) > 0 {
			i := random.IntN(len(k.Values))
			err = h.DeleteValue(path, strings.ToUpper(k.Values[i].Name))
			k.Values = slices.Delete(k.Values, i, i+1)
		}
	case 8:
		err = h.DeleteValues(path)
		m.key(path, false).Values = nil
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestEditGrowsAndEmpties makes lists split into an index, and uses again what emptied keys leave.
func TestEditGrowsAndEmpties(t *testing.T) {
	t.Parallel()
	for _, minor := range []uint32{3, 5} {
		h := open(t, write(t, hive.Key{Name: "ROOT"}))
		h.SetVersion(minor)
		order := rand.New(rand.NewPCG(3, 4)).Perm(1300)
		for _, i := range order {
			if err := h.Set(fmt.Sprintf("key%d", i), hive.SZ("text", "some text")); err != nil {
				t.Fatal(err)
			}
		}
		audit(t, h, 0)
		same(t, "hivex reads", hivetest.Export(t, h.Bytes()), tree(t, h))
		same(t, "regparser reads", velocidex(t, h.Bytes()), names(tree(t, h)))
		size := len(h.Bytes())
		for _, i := range order {
			if err := h.DeleteValues(fmt.Sprintf("KEY%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		audit(t, h, 0)
		if k := tree(t, h).Keys[0]; len(k.Values) != 0 {
			t.Fatalf("%d values are left of %s", len(k.Values), k.Name)
		}
		for _, i := range order {
			if err := h.Set(fmt.Sprintf("key%d", i), hive.SZ("text", "some text")); err != nil {
				t.Fatal(err)
			}
		}
		if grown := len(h.Bytes()); grown > size {
			t.Errorf("freed cells are not used again: %d bytes, then %d", size, grown)
		}
	}
}

// TestEditLeavesTheRest compares bytes: only what is near the change may differ.
func TestEditLeavesTheRest(t *testing.T) {
	t.Parallel()
	before := windowsHive(t)
	h := open(t, before)
	if err := h.Set(`Control Panel\Desktop`, hive.SZ("Wallpaper", "x")); err != nil {
		t.Fatal(err)
	}
	after := h.Bytes()
	if len(after) != len(before) {
		t.Fatalf("the file has %d bytes, had %d", len(after), len(before))
	}
	changed := 0
	for i := 4096; i < len(after); i++ {
		if after[i] != before[i] {
			changed++
		}
	}
	if changed == 0 || changed > 300 {
		t.Errorf("%d bytes behind the base block differ", changed)
	}
}

func TestBigData(t *testing.T) {
	t.Parallel()
	h := open(t, write(t, hive.Key{Name: "ROOT", Keys: []hive.Key{{Name: "k"}}}))
	h.SetVersion(5)
	data := bytes.Repeat([]byte("0123456789abcdef!"), 3000) // four segments
	if err := h.SetBig("k", "big", data); err != nil {
		t.Fatal(err)
	}
	v, err := h.Value("K", "BIG")
	if err != nil || !bytes.Equal(v.Data, data) {
		t.Fatalf("read %d bytes, %v", len(v.Data), err)
	}
	same(t, "hivex reads", hivetest.Export(t, h.Bytes()), tree(t, h))
	audit(t, h, 0)
	if err := h.Set("k", hive.Binary("big", data[:100])); err != nil {
		t.Fatal(err)
	}
	audit(t, h, 0)
	if err := h.SetBig("k", "big", data); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteValues("k"); err != nil {
		t.Fatal(err)
	}
	audit(t, h, 0)
}

func TestEditErrors(t *testing.T) {
	t.Parallel()
	h := open(t, write(t, sample))
	before := h.Bytes()
	for name, test := range map[string]struct {
		err  error
		want error
	}{
		"delete missing value":    {h.DeleteValue("alpha", "v"), hive.ErrNotExist},
		"delete values of no key": {h.DeleteValues(`alpha\x`), hive.ErrNotExist},
		"value too big":           {h.Set("alpha", hive.Binary("b", make([]byte, hive.MaxValue+1))), hive.ErrLimit},
		"name too long":           {h.Set(strings.Repeat("n", 256)), hive.ErrLimit},
		"empty name":              {h.Set(`a\\b`), hive.ErrLimit},
		"too deep":                {h.Set(strings.Repeat(`k\`, 512) + "k"), hive.ErrLimit},
	} {
		if !errors.Is(test.err, test.want) {
			t.Errorf("%s: got %v, expected %v", name, test.err, test.want)
		}
	}
	if !bytes.Equal(h.Bytes(), before) {
		t.Error("refused edits have changed the hive")
	}
	if _, err := h.Value("", "no such value"); !errors.Is(err, hive.ErrNotExist) {
		t.Errorf("got %v, expected ErrNotExist", err)
	}
	if v, _ := h.Value("", "dword"); v.Type != hive.TypeDWORD {
		t.Errorf("got %v", v)
	} else if _, err := v.Text(); !errors.Is(err, hive.ErrType) {
		t.Errorf("text of a DWORD: got %v, expected ErrType", err)
	}
}
