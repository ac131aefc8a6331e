package imagefile

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim/header"
	"github.com/stickpress/stickpress/api/fault"
)

// The program that decompresses what is in a WIM, and the package of
// Debian that holds it.
const (
	VerifyTool    = "wimlib-imagex"
	VerifyPackage = "wimtools"
)

// Up to these sizes the content of a WIM is verified in about a second where it is
// packed as LZX: 427 MB of a file took 6.2 s of a processor.
const (
	quickBytes   = 64 << 20  // of the file
	quickContent = 256 << 20 // of its editions, as the file says
)

// slowWIM reports whether to verify a WIM's content takes long. It fails if it
// cannot be done here at all.
func slowWIM(h *header.Info, size int64) (bool, error) {
	if err := verifyTool(); err != nil {
		return false, err
	}
	var content uint64
	for i := range h.Images {
		n := h.Images[i].TotalBytes
		if n > quickContent {
			return true, nil // more would overflow
		}
		content += n
	}
	return size > quickBytes || content > quickContent, nil
}

func verifyTool() error {
	if err := tool.Look(tool.Command{Name: VerifyTool, Package: VerifyPackage}); err != nil {
		return fault.Wrap(err, fault.KindUnavailable, "image_tool_missing", "tool", VerifyTool, "package", VerifyPackage)
	}
	return nil
}

// verifyWIM has wimlib decompress all contents of a WIM of size bytes and compare
// each with the SHA-1 that the file has of it: those of the files and of the trees
// of all editions. A table of checksums over the packed bytes (of --check) is not
// looked at: it would find nothing more, and take another pass. Memory is bounded
// by what was compressed together: 64 MiB of an ESD as a rule. progress is told
// in bytes of the file.
func verifyWIM(ctx context.Context, path string, size int64, progress func(done int64)) error {
	if err := verifyTool(); err != nil {
		return err
	}
	err := tool.Command{
		Name: VerifyTool, Package: VerifyPackage, Args: []string{"verify", path, "--nocheck"},
		Stdout: &verifyOutput{size: size, progress: progress},
	}.Run(ctx)
	exit := tool.Exit(err)
	switch {
	case exit == nil:
		return err
	case verifyTrouble[exit.Status]:
		return fmt.Errorf("verify an image file: %w", err)
	case exit.Status == verifyEncrypted:
		return refuse(err, "image_unsupported", "detail", "its content is encrypted")
	}
	return refuse(err, "image_damaged", "detail", complaint(exit.Output))
}

const (
	maxLine         = 64 << 10 // of what the program says
	verifyEncrypted = 74
)

// verifyTrouble are wimlib's exit statuses (wimlib.h, enum wimlib_error_code)
// that are about this machine and not about the file, and -1 of a program that
// was killed.
var verifyTrouble = map[int]bool{-1: true, 39: true, 47: true, 50: true} // no memory, open, read

// complaintOffset is how wimlib says where what is damaged lies.
var complaintOffset = regexp.MustCompile(`(?m)^\s*Resource offset in WIM: (\d+)$`)

// complaint is what wimlib found, without the path that only this machine knows.
// The sentence for the exit status comes last.
func complaint(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	text := strings.TrimSuffix(strings.TrimSpace(lines[len(lines)-1]), ".")
	if at := complaintOffset.FindStringSubmatch(output); at != nil {
		text += ", at byte " + at[1] + " of the file"
	}
	return text
}

// verifyLine is how wimlib-imagex tells how far it is. It rounds down to whole
// units, which are larger for larger files.
var verifyLine = regexp.MustCompile(`^Verifying file data: (\d+) (?:bytes|KiB|MiB|GiB|TiB) of (\d+) (?:bytes|KiB|MiB|GiB|TiB) \((\d+)%\)`)

// verifyOutput reads the lines that wimlib-imagex overwrites with a return.
type verifyOutput struct {
	size     int64
	progress func(done int64) // nil tells nobody
	line     []byte
}

var _ io.Writer = (*verifyOutput)(nil)

// Write implements io.Writer.
func (v *verifyOutput) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b != '\r' && b != '\n':
			if len(v.line) < maxLine {
				v.line = append(v.line, b)
			}
			continue
		case v.progress != nil:
			if part, ok := verified(string(v.line)); ok {
				v.progress(int64(part * float64(v.size)))
			}
		}
		v.line = v.line[:0]
	}
	return len(p), nil
}

// verified is how much of all is verified by a line, from 0 to 1. The units of
// both numbers are the same.
func verified(line string) (part float64, ok bool) {
	m := verifyLine.FindStringSubmatch(line)
	if m == nil {
		return 0, false
	}
	done, err1 := strconv.ParseUint(m[1], 10, 63)
	total, err2 := strconv.ParseUint(m[2], 10, 63)
	percent, err3 := strconv.ParseUint(m[3], 10, 8)
	if err1 != nil || err2 != nil || err3 != nil || percent > 100 {
		return 0, false
	}
	part = float64(percent) / 100
	if total > 100 {
		part = max(part, min(float64(done)/float64(total), 1))
	}
	return part, true
}
