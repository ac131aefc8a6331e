package fault_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api/fault"
)

func TestAll(t *testing.T) {
	t.Parallel()
	at := func(code fault.Code, field string) *fault.Error { return fault.New(fault.KindInvalid, code).At(field) }
	two := fault.All(at("a", "name"), at("b", "url"))
	for name, x := range map[string]struct {
		errs  []error
		code  fault.Code
		parts []string // "code field"
	}{
		"nothing":              {[]error{nil, nil}, "", nil},
		"one":                  {[]error{nil, at("a", "name"), nil}, "a", nil},
		"several":              {[]error{at("a", "name"), nil, at("b", "url")}, "a", []string{"a name", "b url"}},
		"several of several":   {[]error{at("c", "role"), two}, "c", []string{"c role", "a name", "b url"}},
		"one of an input":      {[]error{two, at("c", "name")}, "a", []string{"a name", "b url"}},
		"the same twice":       {[]error{at("a", "name"), at("c", "name")}, "a", nil},
		"what blames no input": {[]error{at("a", "name"), fault.New(fault.KindForbidden, "forbidden")}, "forbidden", nil},
		"what failed":          {[]error{at("a", "name"), errors.New("no database")}, fault.Internal, nil},
		"what failed, blamed":  {[]error{at("a", "name"), fault.From(errors.New("no database")).At("url")}, fault.Internal, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := fault.All(x.errs...)
			if x.code == "" {
				if err != nil {
					t.Fatalf("have %v", err)
				}
				return
			}
			f := fault.From(err)
			var parts []string
			for _, p := range f.Parts {
				parts = append(parts, string(p.Code)+" "+p.Field)
			}
			if f.Code != x.code || !slices.Equal(parts, x.parts) {
				t.Errorf("have %s with %q, want %s with %q", f.Code, parts, x.code, x.parts)
			}
		})
	}
}

func TestRenamed(t *testing.T) {
	t.Parallel()
	err := fault.All(fault.New(fault.KindInvalid, "a").At("image"), fault.New(fault.KindInvalid, "b").At("host"))
	f := fault.From(fault.Renamed(err, func(field string) string { return "mapping." + field }))
	if f.Field != "mapping.image" || f.Parts[0].Field != "mapping.image" || f.Parts[1].Field != "mapping.host" {
		t.Errorf("have %s, %s and %s", f.Field, f.Parts[0].Field, f.Parts[1].Field)
	}
	if was := fault.From(err); was.Field != "image" || was.Parts[1].Field != "host" {
		t.Errorf("it was changed itself: %s and %s", was.Field, was.Parts[1].Field)
	}
}
