package wim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
)

// Capture makes a WIM file at path with one image, compressed as LZX, of the
// NTFS volume in the file volume, which is only read. What the globs of
// exclude name (see exclusion.Parse) is left out, and so are encrypted files
// and extended attributes, which wimlib cannot read from Linux. Security
// descriptors, streams, hard links, short names and reparse points are kept;
// what Windows packed by its compact form stays as it is, in its stream and
// reparse point. progress counts bytes of file data. Errors are those of Tool;
// they wrap syscall.ENOSPC when the disk below path ran full.
func (Wimlib) Capture(ctx context.Context, volume, path string, exclude []string, p Properties, progress func(done, total int64)) error {
	// Of a folder in place of a volume the image would be a folder's.
	if info, err := os.Stat(volume); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("capture image: %s is no file with a volume", volume)
	}
	config, err := os.CreateTemp(filepath.Dir(path), "exclude-*.ini")
	if err != nil {
		return fmt.Errorf("capture image: %w", err)
	}
	defer func() { _ = os.Remove(config.Name()) }()
	_, err = config.WriteString(exclusion.Config(exclude))
	if e := config.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("capture image: %w", err)
	}
	args := []string{"capture", "--compress=LZX", "--config=" + config.Name()}
	for _, x := range p.XML {
		args = append(args, "--image-property="+x[0]+"="+x[1])
	}
	args = append(args, "--", volume, path, p.Name, p.Description)
	err = run(ctx, Source{Path: path, Edition: 1}, tool.Command{
		Args: args, Stdout: &progressWriter{report: progress}, Env: []string{ignoreCase + "=1"},
	})
	if err != nil {
		return fmt.Errorf("capture image: %w", err)
	}
	return nil
}
