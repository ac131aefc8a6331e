package stick

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// turn lets one preparation of this process at a time attach a disk.
var turn = make(chan struct{}, 1)

// localHost is this machine.
func localHost() *windowsHost {
	return &windowsHost{
		look: tool.Look, run: func(ctx context.Context, c tool.Command) error { return c.Run(ctx) },
		letter: freeLetter, root: func(letter string) string { return letter + `\` }, turn: turn,
	}
}

// freeLetter is the last drive letter that nothing has; the first ones are
// what people's devices get.
func freeLetter() (string, error) {
	taken, err := windows.GetLogicalDrives()
	if err != nil {
		return "", fmt.Errorf("list drive letters: %w", err)
	}
	for n := 25; n > 2; n-- {
		if taken&(1<<n) == 0 {
			return string(rune('A'+n)) + ":", nil
		}
	}
	return "", errors.New("every drive letter is taken")
}

// imageTool: no image is applied to a volume in a file here.
func imageTool() wim.Tool { return nil }

func (*preparation) tools() []tool.Command { return nil }

// removeWork removes what an unfinished preparation left: of one that was
// killed the disk may still be attached.
func removeWork(dir string) error {
	script := filepath.Join(dir, "tmp", detachScript)
	if _, err := os.Stat(script); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), detachTime)
		defer cancel()
		c := diskpart
		c.Args = []string{"/s", script}
		_ = c.Run(ctx) // if it is, the removal will say so
	}
	return removeTree(dir)
}

// removeTree removes a file, or a folder with all that it holds. It is
// os.RemoveAll with calls that Wine 8 has, too: a file that is open elsewhere
// is in its way. It follows no link and leaves what is mounted at a folder.
func removeTree(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := removeTree(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// freeBytes is how much a file below dir may grow.
func freeBytes(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("ask for free space of %s: %w", dir, err)
	}
	return int64(free), nil
}
