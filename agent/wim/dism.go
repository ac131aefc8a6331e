package wim

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim/header"
)

// DISM calls dism.exe, which comes with Windows (Microsoft, "DISM Image
// Management Command-Line Options"). It changes no image without mounting it
// and applies to folders only, so it is a Reader and no Tool.
type DISM struct {
	// Dir is a folder for its log and what it unpacks.
	Dir string
	// Run runs a command; nil means tool.Command.Run.
	Run func(context.Context, tool.Command) error
}

var _ Reader = DISM{}

// Dism is the program, without arguments.
var Dism = tool.Command{Name: "dism.exe", Package: "Windows 10"}

// Statuses of dism.exe that say that the image file is at fault, or that a disk
// ran full (winerror.h); it ends with them as they are or as an HRESULT.
const (
	statusBadFormat   = 11
	statusInvalidData = 13
	statusDiskFull    = 112
	statusFileCorrupt = 1392
	resultWin32       = 0x80070000
)

// ListCommand lists the files of an image.
func (d DISM) ListCommand(src Source) tool.Command {
	return d.command("/List-Image", "/ImageFile:"+src.Path, "/Index:"+strconv.Itoa(src.Edition))
}

// ApplyCommand puts an image into a folder, which is the root of an NTFS
// volume.
func (d DISM) ApplyCommand(src Source, folder string) tool.Command {
	return d.command("/Apply-Image", "/ImageFile:"+src.Path, "/Index:"+strconv.Itoa(src.Edition), "/ApplyDir:"+folder)
}

// command has DISM speak English, which is what is read here, and leave
// nothing in the folders of the running Windows.
func (d DISM) command(args ...string) tool.Command {
	c := Dism
	c.Args = append([]string{"/English", "/NoRestart", "/LogPath:" + d.Dir + `\dism.log`, "/ScratchDir:" + d.Dir}, args...)
	return c
}

// run is for what reads an image file.
func (d DISM) run(ctx context.Context, c tool.Command) error {
	err := d.do(ctx, c)
	if exit := tool.Exit(err); exit != nil {
		switch uint32(exit.Status) {
		case statusBadFormat, statusInvalidData, statusFileCorrupt,
			resultWin32 | statusBadFormat, resultWin32 | statusInvalidData, resultWin32 | statusFileCorrupt:
			return protocol.WrapFault(exit, protocol.FaultImageCorrupt, "detail", exit.Output)
		}
	}
	return dismFault(err)
}

// call is for what reads none.
func (d DISM) call(ctx context.Context, c tool.Command) error {
	return dismFault(d.do(ctx, c))
}

func (d DISM) do(ctx context.Context, c tool.Command) error {
	if d.Run != nil {
		return d.Run(ctx, c)
	}
	return c.Run(ctx)
}

// dismFault makes a fault of DISM's own failure, and leaves any other error.
func dismFault(err error) error {
	exit := tool.Exit(err)
	if exit == nil {
		return err
	}
	switch uint32(exit.Status) {
	case statusDiskFull, resultWin32 | statusDiskFull:
		return fmt.Errorf("%w: %w", syscall.ENOSPC, exit.Fault())
	}
	return exit.Fault()
}

// List implements Reader. DISM writes names in the console's code page: those
// of Windows's own files are right in all of them, others may not be.
func (d DISM) List(ctx context.Context, src Source) ([]string, error) {
	c := d.ListCommand(src)
	var out bytes.Buffer
	c.Stdout = &out
	if err := d.run(ctx, c); err != nil {
		return nil, fmt.Errorf("list image: %w", err)
	}
	var paths []string
	for line := range strings.SplitSeq(out.String(), "\n") {
		line = strings.TrimRight(line, "\r")
		if strings.HasPrefix(line, `\`) && line != `\` {
			paths = append(paths, path.Clean(strings.ReplaceAll(line, `\`, "/")))
		}
	}
	return paths, nil
}

// Bytes implements Reader by what the file's XML says.
func (d DISM) Bytes(_ context.Context, src Source) (int64, error) {
	f, err := os.Open(src.Path)
	if err != nil {
		return 0, fmt.Errorf("open image: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("open image: %w", err)
	}
	h, err := header.Read(f, info.Size())
	if err != nil {
		return 0, protocol.WrapFault(err, protocol.FaultImageCorrupt, "detail", err.Error())
	}
	for _, image := range h.Images {
		if image.Index == src.Edition {
			return max(int64(image.TotalBytes)-int64(image.HardLinkBytes), 0), nil
		}
	}
	return 0, protocol.NewFault(protocol.FaultEdition, "edition", src.Edition, "editions", len(h.Images))
}

// ApplyTo puts an image into a folder. progress counts bytes of file data out
// of total.
func (d DISM) ApplyTo(ctx context.Context, src Source, folder string, total int64, progress func(done, total int64)) error {
	c := d.ApplyCommand(src, folder)
	c.Stdout = &percentWriter{func(tenths int64) { progress(total/1000*tenths, total) }, nil}
	if err := d.run(ctx, c); err != nil {
		return fmt.Errorf("apply image: %w", err)
	}
	return nil
}

// percentLine is how DISM tells how far it is: "[====   37.0%       ]".
var percentLine = regexp.MustCompile(`^\[[= ]*(\d{1,3})\.(\d)%[= ]*\]`)

// percentWriter reports DISM's progress in tenths of a percent.
type percentWriter struct {
	report func(tenths int64)
	line   []byte
}

func (p *percentWriter) Write(b []byte) (int, error) {
	for _, c := range b {
		if c != '\r' && c != '\n' {
			if len(p.line) < 256 {
				p.line = append(p.line, c)
			}
			continue
		}
		if m := percentLine.FindSubmatch(p.line); m != nil {
			whole, _ := strconv.ParseInt(string(m[1]), 10, 16)
			tenth, _ := strconv.ParseInt(string(m[2]), 10, 16)
			if n := 10*whole + tenth; n <= 1000 {
				p.report(n)
			}
		}
		p.line = p.line[:0]
	}
	return len(b), nil
}
