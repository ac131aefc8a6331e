// Package hivetest asks foreign programs what they see in a registry hive: hivex and libregf.
// What our own reader says about our own writer proves little.
package hivetest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/hive"
)

// Export reads a whole hive with hivexregedit (Debian: libhivex-bin). The root key has no name.
// A program that is missing, or that finds the hive damaged, fails the test.
func Export(t testing.TB, file []byte) hive.Key {
	t.Helper()
	out := run(t, nil, "hivexregedit", "--export", save(t, file), `\`)
	k, err := parse(out)
	if err != nil {
		t.Fatalf("read the output of hivexregedit: %v", err)
	}
	return k
}

// Merge lets hivexregedit enter keys and values, given as a .reg file without its first line, into a hive.
func Merge(t testing.TB, file []byte, reg string) []byte {
	t.Helper()
	path := save(t, file)
	run(t, []byte("Windows Registry Editor Version 5.00\n\n"+reg), "hivexregedit", "--merge", path)
	out, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Info lets regfinfo (Debian: libregf-utils) read a hive and returns the tree of names that it prints.
// It fails the test if regfinfo finds the hive damaged.
func Info(t testing.TB, file []byte) string {
	t.Helper()
	out := run(t, nil, "regfinfo", save(t, file))
	if strings.Contains(out, "corrupt") {
		t.Fatalf("regfinfo finds the hive corrupt:\n%s", out)
	}
	return out
}

// Lines flattens a tree for comparison: a line for each key and each value, sorted, without the root key's name.
// (Comparing deep trees as structures takes time that grows exponentially where they differ.)
func Lines(k hive.Key) []string {
	var out []string
	var walk func(k hive.Key, path string)
	walk = func(k hive.Key, path string) {
		for _, v := range k.Values {
			out = append(out, fmt.Sprintf("%s!%s = (%d) %x", path, v.Name, v.Type, v.Data))
		}
		for _, sub := range k.Keys {
			out = append(out, path+`\`+sub.Name)
			walk(sub, path+`\`+sub.Name)
		}
	}
	walk(k, "")
	slices.Sort(out)
	return out
}

func save(t testing.TB, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.hive")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t testing.TB, stdin []byte, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(string(stdin))
	cmd.Env = append(os.Environ(), "PERL_UNICODE=SD", "LC_ALL=C.UTF-8")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// parse reads the regedit text format as hivexregedit writes it.
func parse(text string) (hive.Key, error) {
	var root hive.Key
	at := &root
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "", strings.HasPrefix(line, "Windows Registry Editor"):
		case strings.HasPrefix(line, `[\`) && strings.HasSuffix(line, "]"):
			at = &root
			for part := range strings.SplitSeq(strings.Trim(line[2:len(line)-1], `\`), `\`) {
				if part == "" {
					continue
				}
				i := slices.IndexFunc(at.Keys, func(k hive.Key) bool { return k.Name == part })
				if i < 0 {
					i = len(at.Keys)
					at.Keys = append(at.Keys, hive.Key{Name: part})
				}
				at = &at.Keys[i]
			}
		default:
			v, err := parseValue(line)
			if err != nil {
				return hive.Key{}, fmt.Errorf("line %q: %w", line, err)
			}
			at.Values = append(at.Values, v)
		}
	}
	return root, nil
}

func parseValue(line string) (hive.Value, error) {
	var v hive.Value
	rest, isDefault := strings.CutPrefix(line, "@=")
	if !isDefault {
		// The name's own quotes and backslashes are escaped, so the first bare quote ends it.
		i := 1
		var name []byte
		for ; i < len(line) && line[i] != '"'; i++ {
			if line[i] == '\\' {
				i++
			}
			name = append(name, line[i])
		}
		v.Name = string(name)
		rest = strings.TrimPrefix(line[min(i, len(line)):], `"=`)
	}
	if number, ok := strings.CutPrefix(rest, "dword:"); ok {
		n, err := strconv.ParseUint(number, 16, 32)
		v.Type, v.Data = hive.TypeDWORD, binary.LittleEndian.AppendUint32(nil, uint32(n))
		return v, err
	}
	typ, data, ok := strings.Cut(strings.TrimPrefix(rest, "hex("), "):")
	if !ok {
		return v, fmt.Errorf("unknown form of data %q", rest)
	}
	n, err := strconv.ParseUint(typ, 16, 32)
	if err != nil {
		return v, err
	}
	v.Type = hive.Type(n)
	v.Data, err = hex.DecodeString(strings.ReplaceAll(data, ",", ""))
	return v, err
}
