package connector

import (
	"testing"

	"github.com/tidwall/gjson"
)

func TestClosed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"": true, "issue.key": true, "a.0.b": true, "#": true, "items.#.name": true, "items.#": true,
		`variables.#(name=="image").value`: true, `a.#(b=="c")#.d`: true, `a.#(b=="c")#|0`: true, `#(a.#(b==1))`: true, `a.#(b%"x*").c`: true,
		`a.#(b=="(").c`: true, `a.#(b=="\"(").c`: true, `{a,"b":c}`: true, `[a,b].0`: true, `custom (1).a`: true, `a\.b`: true, `fields[0]`: true,
		"@this": true, `@flatten:{"deep":true}`: true,
		"#(": false, "a.#(": false, `a.#(b=="c`: false, `a.#(b=="c).d`: false, `a.#(b==1)x`: false, "{a": false, "a.[b": false, "#((a)": false,
	} {
		if got := closed(path); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
}

// A path of any bytes is looked at to its end, and what is closed is found by gjson
// without a fault of its own.
func FuzzClosed(f *testing.F) {
	for _, path := range []string{"a.b", `#(a=="b")#.c`, "#(", "{a,b}", `\\`, "@a:[", "#(#(a)"} {
		f.Add(path)
	}
	f.Fuzz(func(_ *testing.T, path string) {
		if len(path) <= maxPath && closed(path) {
			gjson.Get(`{"a":[{"b":1,"c":"d"}]}`, path)
		}
	})
}
