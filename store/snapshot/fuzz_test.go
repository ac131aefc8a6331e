package snapshot

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
)

// tarOf is an archive of entries, given as name, body pairs.
func tarOf(t testing.TB, entries ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(entries); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: entries[i], Size: int64(len(entries[i+1])), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzTables reads what somebody with the key may have written: whatever is
// accepted has the rows that its manifest says.
func FuzzTables(f *testing.F) {
	const sum = "be09a4127bf56759afd5241adc56ef7d085709c3db4d72e268c15a2a6da78c77"
	f.Add(tarOf(f, "manifest.json", `{"format":1,"tables":[]}`))
	f.Add(tarOf(f, "tables/sites/000001", "1\tDefault\n", "tables/sites/000002", "2\tLab\n",
		"manifest.json", `{"format":1,"tables":[{"name":"sites","columns":["id","name"],"rows":2,"bytes":16,"sha256":"`+sum+`"}]}`))
	f.Add(tarOf(f, "tables/a/1", "", "tables/b/1", "x\n", "tables/a/2", "y\n", "manifest.json", "{}", "more", ""))
	f.Add(tarOf(f, "tables//", "", "tables/", "", "../x", "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := bytes.NewReader(raw)
		a := &archive{Reader: tar.NewReader(in), under: in}
		rows := map[string]int64{}
		m, err := a.tables(func(name string, r io.Reader) error {
			body, err := io.ReadAll(r)
			rows[name] = int64(bytes.Count(body, []byte("\n")))
			return err
		})
		if err != nil {
			return
		}
		for _, table := range m.Tables {
			if rows[table.Name] != table.Rows {
				t.Errorf("table %s has %d rows, its manifest says %d", table.Name, rows[table.Name], table.Rows)
			}
			delete(rows, table.Name)
		}
		if len(rows) > 0 {
			t.Errorf("its manifest knows nothing of %v", rows)
		}
	})
}
