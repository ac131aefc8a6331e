package wim

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"unicode/utf16"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
)

// CaptureCommand makes an image file of a folder, which is the root of an NTFS
// volume, without what the list in the file config names. Links stay what they
// are: DISM would leave out those that lead out of the folder, such as all of
// Windows's own to C:\Users (Microsoft, "DISM Image Management Command-Line
// Options", /NoRpFix). Of the properties DISM takes name and description; it
// finds out the others by itself.
func (d DISM) CaptureCommand(folder, path, config string, p Properties) tool.Command {
	args := []string{
		"/Capture-Image", "/ImageFile:" + path, "/CaptureDir:" + strings.TrimSuffix(folder, `\`) + `\`,
		"/Name:" + oneLine(p.Name), "/ConfigFile:" + config, "/Compress:max", "/NoRpFix",
	}
	if description := oneLine(p.Description); description != "" {
		args = append(args, "/Description:"+description)
	}
	return d.command(args...)
}

// oneLine is a text as an argument on one line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// CaptureConfig is the name of the list in Dir.
const CaptureConfig = "exclude.ini"

// Capture makes a WIM file at path with one image, compressed as LZX, of the
// NTFS volume at a folder; what the globs of exclude name (see
// exclusion.Parse) is left out. progress counts bytes of file data out of
// total. Its failure is the fault tool_failed, and wraps syscall.ENOSPC when a
// disk ran full.
func (d DISM) Capture(ctx context.Context, folder, path string, exclude []string, p Properties, total int64, progress func(done, total int64)) error {
	config := d.Dir + string(os.PathSeparator) + CaptureConfig
	if err := os.WriteFile(config, listFile(exclude), 0o600); err != nil {
		return fmt.Errorf("capture image: %w", err)
	}
	c := d.CaptureCommand(folder, path, config, p)
	c.Stdout = &percentWriter{func(tenths int64) { progress(total/1000*tenths, total) }, nil}
	if err := d.call(ctx, c); err != nil {
		return fmt.Errorf("capture image: %w", err)
	}
	progress(total, total)
	return nil
}

// listFile is an exclusion list as Windows reads text: in UTF-16 with its mark
// where ASCII does not do.
func listFile(exclude []string) []byte {
	text := strings.ReplaceAll(exclusion.Config(exclude), "\n", "\r\n")
	if strings.IndexFunc(text, func(r rune) bool { return r > '~' }) < 0 {
		return []byte(text)
	}
	out := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}
