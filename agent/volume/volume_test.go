package volume

import (
	"slices"
	"testing"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	in := []Extent{{100, 10}, {0, 10}, {10, 5}, {18, 2}, {105, 1}}
	for _, c := range []struct {
		gap  int64
		want []Extent
	}{
		{0, []Extent{{0, 15}, {18, 2}, {100, 10}}},
		{3, []Extent{{0, 20}, {100, 10}}},
		{80, []Extent{{0, 110}}},
	} {
		if got := Join(in, c.gap); !slices.Equal(got, c.want) {
			t.Errorf("gap %d: %v, want %v", c.gap, got, c.want)
		}
	}
	if in[0].Offset != 100 {
		t.Error("the argument was sorted")
	}
}

func TestAlign(t *testing.T) {
	t.Parallel()
	got := Align([]Extent{{4095, 2}, {8192, 1}, {20000, 1}}, 4096)
	if want := []Extent{{0, 12288}, {16384, 4096}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	extents := []Extent{{10, 3}, {50, 4}}
	got, err := Place(extents, []byte("abcde"))
	if err != nil || len(got) != 2 || got[1].Offset != 50 || string(got[1].Bytes) != "de" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Place(extents, make([]byte, 8)); err == nil {
		t.Error("data longer than its extents was placed")
	}
}
