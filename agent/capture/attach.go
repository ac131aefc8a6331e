package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// On Windows the copy of a volume is a virtual disk: diskpart attaches it for
// reading, at a folder, and DISM makes an image of what is there. This file is
// the same on every system, so that its words can be tested.

var diskpart = tool.Command{Name: "diskpart.exe", Package: "Windows 10"}

// Scripts of diskpart. Attaching and mounting are two: the volume of a disk
// appears a moment after the disk.
const (
	attachScript = "attach.txt"
	mountScript  = "mount.txt"
	detachScript = "detach.txt"
)

// detachTime is how long diskpart may take to detach a disk.
const detachTime = 2 * time.Minute

// attachment is where things are while an image is made. Paths are those of
// Windows.
type attachment struct {
	disk  string // the virtual disk
	mount string // an empty folder at which its volume appears
	dir   string // a folder for scripts, lists and logs
	image string
	join  func(...string) string
}

// newAttachment has everything beside the image.
func newAttachment(disk, image string) *attachment {
	dir := filepath.Dir(image)
	return &attachment{disk: disk, mount: filepath.Join(dir, "mount"), dir: dir, image: image, join: filepath.Join}
}

// check refuses what diskpart cannot be told: it reads a script in the
// machine's code page, and nothing in it quotes a quote.
func (a *attachment) check() error {
	for _, path := range []string{a.disk, a.mount} {
		if i := strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r > '~' || r == '"' }); i >= 0 {
			return fmt.Errorf("diskpart cannot be told of %q: put the agent's data into a folder with a plain name", path)
		}
	}
	return nil
}

// scripts are what diskpart is told, by file name.
func (a *attachment) scripts() map[string]string {
	lines := func(list ...string) string { return strings.Join(list, "\r\n") + "\r\n" }
	choose := fmt.Sprintf(`select vdisk file="%s"`, a.disk)
	return map[string]string{
		attachScript: lines(choose, "attach vdisk readonly", "online disk noerr"), // a server may keep new disks offline
		mountScript:  lines(choose, "select partition 1", fmt.Sprintf(`assign mount="%s"`, a.mount)),
		detachScript: lines(choose, "select partition 1 noerr", fmt.Sprintf(`remove mount="%s" noerr`, a.mount), "detach vdisk"),
	}
}

// script is diskpart with one of them.
func (a *attachment) script(name string) tool.Command {
	c := diskpart
	c.Args = []string{"/s", a.join(a.dir, name)}
	return c
}

// packAttached makes the image. The disk is detached in every case.
func (v *Volume) packAttached(ctx context.Context, a *attachment, description string,
	run func(context.Context, tool.Command) error, progress func(done, total int64),
) error {
	if err := a.check(); err != nil {
		return err
	}
	if err := os.Mkdir(a.mount, 0o700); err != nil {
		return fmt.Errorf("attach the copy of the volume: %w", err)
	}
	for name, text := range a.scripts() {
		if err := os.WriteFile(a.join(a.dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("attach the copy of the volume: %w", full(err))
		}
	}
	do := func(ctx context.Context, name string) error {
		err := run(ctx, a.script(name))
		if exit := tool.Exit(err); exit != nil {
			return exit.Fault()
		}
		return err
	}
	defer func() {
		// The capture may have been cancelled. A disk that stays attached is
		// not what was asked for, but the image is.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachTime)
		defer cancel()
		if e := do(ctx, detachScript); e == nil {
			_ = os.Remove(a.join(a.dir, detachScript)) // else Sweep tries again
		}
	}()
	for _, name := range []string{attachScript, mountScript} {
		if err := do(ctx, name); err != nil {
			return err
		}
	}
	return wim.DISM{Dir: a.dir, Run: run}.Capture(ctx, a.mount, a.image, v.exclude, v.Windows.properties(description), v.Bytes(), progress)
}

// detachLeft detaches the disk of a capture that was killed.
func detachLeft(ctx context.Context, dir string, run func(context.Context, tool.Command) error) error {
	script := filepath.Join(dir, detachScript)
	if _, err := os.Stat(script); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, detachTime)
	defer cancel()
	c := diskpart
	c.Args = []string{"/s", script}
	return run(ctx, c)
}
