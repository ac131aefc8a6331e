package store

import (
	"testing"

	"github.com/stickpress/stickpress/store/storetest"
)

// A fault whose constraint was renamed would never be seen again.
func TestEveryConstraintExists(t *testing.T) {
	t.Parallel()
	pool := storetest.Open(t)
	for name := range constraints {
		var exists bool
		err := pool.QueryRow(t.Context(), `
			SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = $1)
				OR EXISTS (SELECT FROM pg_class WHERE relname = $1 AND relkind = 'i')
				OR EXISTS (SELECT FROM pg_trigger WHERE tgname = $1)`, name).Scan(&exists)
		if err != nil || !exists {
			t.Errorf("%s: exists %t, %v", name, exists, err)
		}
	}
}

// Text from a host must be storable whatever it holds.
func TestEncodeJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\x00b":           `"a\ufffdb"`,
		`a\u0000b`:         `"a\\u0000b"`,
		"\\\x00":           `"\\\ufffd"`,
		`\\u0000` + "\x00": `"\\\\u0000\ufffd"`,
		"\x00":             `"\ufffd"`,
	} {
		got, err := encodeJSON(in)
		if err != nil || string(got) != want {
			t.Errorf("%q became %s, %v; want %s", in, got, err, want)
		}
	}
}
