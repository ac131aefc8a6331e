package fat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/stickpress/stickpress/agent/tool"
)

// Options of a new volume.
type Options struct {
	Size       int64  // bytes
	SectorSize int    // 512 or 4096
	Hidden     int64  // sectors before the volume on the disk: boot code needs it
	Label      string // up to 11 upper-case characters
}

// clusterBytes is the cluster size of every volume made here: one sector of
// a 4Kn disk, and small enough for the 65,525 clusters that FAT32 needs.
const clusterBytes = 4096

// Tools are the programs that Make runs.
var Tools = []tool.Command{
	{Name: "mkfs.fat", Package: "dosfstools"},
	{Name: "mcopy", Package: "mtools"},
}

// Make makes a FAT32 volume in the file path, which it creates sparse, and
// copies what the folder tree holds onto it. It returns the faults
// tool_missing and tool_failed.
func Make(ctx context.Context, path, tree string, o Options) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make fat volume: %w", err)
	}
	if err := errors.Join(f.Truncate(o.Size), f.Close()); err != nil {
		return fmt.Errorf("make fat volume: %w", err)
	}
	mkfs := Tools[0]
	mkfs.Args = []string{
		"-F", "32", "-S", strconv.Itoa(o.SectorSize), "-s", strconv.Itoa(clusterBytes / o.SectorSize),
		"-h", strconv.FormatInt(o.Hidden, 10), "-M", "0xF8", "-D", "0x80", "-g", "255/63", "-n", o.Label, path,
	}
	if err := run(ctx, mkfs); err != nil {
		return err
	}
	entries, err := os.ReadDir(tree)
	if err != nil {
		return fmt.Errorf("fill fat volume: %w", err)
	}
	if len(entries) == 0 {
		return nil
	}
	mcopy := Tools[1]
	// A user's mtools.conf has no say, and the geometry is not checked.
	mcopy.Env = []string{"MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1"}
	mcopy.Args = []string{"-s", "-Q", "-i", path}
	for _, e := range entries {
		mcopy.Args = append(mcopy.Args, filepath.Join(tree, e.Name()))
	}
	mcopy.Args = slices.Concat(mcopy.Args, []string{"::/"})
	return run(ctx, mcopy)
}

func run(ctx context.Context, c tool.Command) error {
	err := c.Run(ctx)
	if exit := tool.Exit(err); exit != nil {
		return exit.Fault()
	}
	return err
}
