package wim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
)

// Wimlib is the Tool that calls wimlib-imagex.
type Wimlib struct{}

var _ Tool = Wimlib{}

// Tools are the programs that Wimlib runs.
var Tools = []tool.Command{{Name: "wimlib-imagex", Package: "wimtools"}}

// wimlib's exit statuses (wimlib.h, enum wimlib_error_code) that say that the
// image file is at fault.
var corruptStatus = map[int]bool{
	2: true, 13: true, 15: true, 16: true, 17: true, // decompression, integrity, chunk size, compression, header
	19: true, 20: true, 21: true, 26: true, 28: true, // integrity table, lookup table, metadata, pipable, hash
	30: true, 36: true, 43: true, 55: true, 65: true, // UTF-16, no metadata, magic, missing data, end of file
	67: true, 73: true, 74: true, 84: true, // version, XML, encrypted, incomplete
}

const statusInvalidImage = 18

const ignoreCase = "WIMLIB_IMAGEX_IGNORE_CASE"

func run(ctx context.Context, src Source, c tool.Command) error {
	c.Name, c.Package = Tools[0].Name, Tools[0].Package
	// Paths are given exactly as stored, so nothing is left to folding unless
	// the caller wants it.
	c.Env = append([]string{ignoreCase + "=0"}, c.Env...)
	err := c.Run(ctx)
	exit := tool.Exit(err)
	if exit == nil {
		return err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return exit.Fault()
	case exit.Status == statusInvalidImage:
		return protocol.WrapFault(err, protocol.FaultEdition, "edition", src.Edition, "editions", editions(src.Path))
	case corruptStatus[exit.Status]:
		return protocol.WrapFault(err, protocol.FaultImageCorrupt, "detail", exit.Output)
	}
	return exit.Fault()
}

// List implements Tool.
func (Wimlib) List(ctx context.Context, src Source) ([]string, error) {
	var out bytes.Buffer
	err := run(ctx, src, tool.Command{Args: []string{"dir", src.Path, strconv.Itoa(src.Edition)}, Stdout: &out})
	if err != nil {
		return nil, fmt.Errorf("list image: %w", err)
	}
	var paths []string
	for line := range strings.SplitSeq(out.String(), "\n") {
		if strings.HasPrefix(line, "/") && line != "/" {
			paths = append(paths, line)
		}
	}
	return paths, nil
}

// sizeLine is how wimlib-imagex info tells the two numbers.
var sizeLine = regexp.MustCompile(`(?m)^(Total|Hard Link) Bytes: +(\d+)$`)

// Bytes implements Tool.
func (Wimlib) Bytes(ctx context.Context, src Source) (int64, error) {
	var out bytes.Buffer
	err := run(ctx, src, tool.Command{Args: []string{"info", src.Path, strconv.Itoa(src.Edition)}, Stdout: &out})
	if err != nil {
		return 0, fmt.Errorf("read image information: %w", err)
	}
	sizes := make(map[string]int64)
	for _, m := range sizeLine.FindAllStringSubmatch(out.String(), -1) {
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return 0, corrupt("the image says that it holds %s bytes", m[2])
		}
		sizes[m[1]] = n
	}
	return max(sizes["Total"]-sizes["Hard Link"], 0), nil
}

// Extract implements Tool.
func (Wimlib) Extract(ctx context.Context, src Source, dest string, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	args := []string{"extract", src.Path, strconv.Itoa(src.Edition), "--dest-dir=" + dest, "--no-acls", "--no-attributes", "--no-globs", "--preserve-dir-structure"}
	if src.Base != "" {
		args = append(args, "--ref="+escapeGlob(src.Base))
	}
	if err := run(ctx, src, tool.Command{Args: append(args, paths...)}); err != nil {
		return fmt.Errorf("extract from image: %w", err)
	}
	return nil
}

// Stage implements Tool. A file of which no delta can be made (a pipable WIM)
// is exported in full, which copies its data without packing it anew.
func (Wimlib) Stage(ctx context.Context, src Source, dir string, changes []Change) (Source, error) {
	staged := Source{Path: filepath.Join(dir, "staged.wim"), Edition: 1, Base: src.Path}
	err := stageFile(staged.Path, src)
	if errors.Is(err, errNoDelta) {
		staged.Base = ""
		err = run(ctx, src, tool.Command{Args: []string{"export", src.Path, strconv.Itoa(src.Edition), staged.Path, "--not-pipable"}})
	}
	if err != nil {
		return Source{}, fmt.Errorf("stage image: %w", err)
	}
	var commands strings.Builder
	for _, c := range changes {
		for _, p := range []string{c.Delete, c.Add, c.From} {
			if strings.ContainsAny(p, "'\n") {
				return Source{}, fmt.Errorf("stage image: no quoting for path %q", p)
			}
		}
		if c.Delete != "" {
			fmt.Fprintf(&commands, "delete --recursive '%s'\n", c.Delete)
			continue
		}
		fmt.Fprintf(&commands, "add '%s' '%s'\n", c.From, c.Add)
	}
	if commands.Len() == 0 {
		return staged, nil
	}
	err = run(ctx, staged, tool.Command{
		Args:  []string{"update", staged.Path, strconv.Itoa(staged.Edition)},
		Stdin: strings.NewReader(commands.String()),
	})
	if err != nil {
		return Source{}, fmt.Errorf("stage image: %w", err)
	}
	return staged, nil
}

// Apply implements Tool.
func (Wimlib) Apply(ctx context.Context, src Source, volume string, progress func(done, total int64)) error {
	// A folder in place of a volume would be filled with the image instead.
	if info, err := os.Stat(volume); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("apply image: %s is no file with a volume", volume)
	}
	args := []string{"apply", src.Path, strconv.Itoa(src.Edition), volume}
	if src.Base != "" {
		args = append(args, "--ref="+escapeGlob(src.Base))
	}
	if err := run(ctx, src, tool.Command{Args: args, Stdout: &progressWriter{report: progress}}); err != nil {
		return fmt.Errorf("apply image: %w", err)
	}
	return nil
}

// escapeGlob makes a path match itself alone where a pattern is expected.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
