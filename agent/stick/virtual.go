package stick

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/stick/bootcode"
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// windowsHost is what making a master with the programs of Windows needs of the
// system (image_windows.go). Tests stand in for it.
type windowsHost struct {
	look   func(...tool.Command) error
	run    func(context.Context, tool.Command) error
	letter func() (string, error)     // one that no volume has, "S:"
	root   func(letter string) string // its root folder
	turn   chan struct{}              // holds one: letters are taken from one pool
}

// take waits for this host's turn.
func (h *windowsHost) take(ctx context.Context) (done func(), err error) {
	select {
	case h.turn <- struct{}{}:
		return func() { <-h.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// do runs a program; its failure is a fault.
func (h *windowsHost) do(ctx context.Context, c tool.Command) error {
	err := h.run(ctx, c)
	if exit := tool.Exit(err); exit != nil {
		return exit.Fault()
	}
	return err
}

// detachTime is how long diskpart may take to detach a disk after a failure.
const detachTime = 2 * time.Minute

func newVirtualDisk(plan *Plan, spec Spec, dir, letter string) *virtualDisk {
	tmp := filepath.Join(dir, "tmp")
	return &virtualDisk{
		plan: plan, image: wim.Source{Path: spec.ImagePath, Edition: spec.Edition},
		file: filepath.Join(dir, vdiskFile), mount: filepath.Join(tmp, "windows"), tmp: tmp, letter: letter,
	}
}

// virtualSteps makes the content with the programs of Windows, in a virtual
// disk. What comes after, reading it out, is the same on all systems.
func (p *preparation) virtualSteps(ctx context.Context) error {
	v := newVirtualDisk(p.plan, p.spec, p.dir, "")
	if err := v.check(); err != nil {
		return err
	}
	if err := p.host.look(diskpart, wim.Dism, bcdboot, icacls); err != nil {
		return err
	}
	for _, dir := range []string{p.tmp, v.mount} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	dism := v.dism()
	dism.Run = p.host.run
	p.reader = dism
	if err := p.readTree(ctx); err != nil {
		return err
	}
	if err := p.room(ctx); err != nil {
		return err
	}
	done, err := p.host.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	if v.letter, err = p.host.letter(); err != nil {
		return err
	}
	if err := p.fillDisk(ctx, v, dism); err != nil {
		p.detachAfter(ctx, v)
		return err
	}
	system := partFile{Name: vdiskFile, Disk: true}
	if slices.Contains(p.plan.firmwares(), bcd.BIOS) {
		if system.Boot, err = p.bootSectors(system); err != nil {
			return err
		}
	}
	return p.describe(ctx, system, partFile{Name: vdiskFile, Disk: true})
}

// fillDisk makes the virtual disk and everything on it, and detaches it.
func (p *preparation) fillDisk(ctx context.Context, v *virtualDisk, dism wim.DISM) error {
	for name, text := range map[string]string{createScript: v.create(), detachScript: v.detach()} {
		if err := os.WriteFile(filepath.Join(p.tmp, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if v.ours() {
		if err := v.makeOurs(); err != nil {
			return err
		}
	}
	if err := p.host.do(ctx, v.script(createScript)); err != nil {
		return err
	}
	if err := dism.ApplyTo(ctx, p.image, v.mount, p.bytes, p.work.applying); err != nil {
		return err
	}
	if err := p.changeWindows(ctx, v); err != nil {
		return err
	}
	if err := p.fillSystem(ctx, v); err != nil {
		return err
	}
	return p.host.do(ctx, v.script(detachScript))
}

// detachAfter takes a disk away that something went wrong with, so that its
// folder can be removed. The preparation may have been cancelled.
func (p *preparation) detachAfter(ctx context.Context, v *virtualDisk) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachTime)
	defer cancel()
	_ = p.host.do(ctx, v.script(detachScript)) // there may be nothing to detach
}

// changeWindows changes the applied image as Stage does before applying on
// Linux.
func (p *preparation) changeWindows(ctx context.Context, v *virtualDisk) error {
	// A link in place of what is edited could lead to any file of this host.
	if err := p.noLinks(v.mount); err != nil {
		return err
	}
	hive, _ := p.tree.Stored(systemHive)
	p.hive = filepath.Join(v.mount, filepath.FromSlash(hive))
	if err := p.editHive(); err != nil {
		return err
	}
	changes, err := p.changes()
	if err != nil {
		return err
	}
	if err := applyChanges(v.mount, changes); err != nil {
		return err
	}
	if err := p.host.do(ctx, v.protect(v.mount+strings.ReplaceAll(answerPath, "/", `\`), false)); err != nil {
		return err
	}
	if _, there := p.tree.Stored(pantherDir); there {
		return nil
	}
	return p.host.do(ctx, v.protect(v.mount+strings.ReplaceAll(pantherDir, "/", `\`), true))
}

// applyChanges makes changes to a tree of files, and follows no link out of it.
func applyChanges(dir string, changes []wim.Change) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	inside := func(path string) string { return filepath.FromSlash(strings.TrimPrefix(path, "/")) }
	for _, c := range changes {
		if c.Delete != "" {
			if err := root.RemoveAll(inside(c.Delete)); err != nil {
				return err
			}
			continue
		}
		info, err := os.Stat(c.From)
		if err != nil {
			return err
		}
		if info.IsDir() {
			err = root.Mkdir(inside(c.Add), 0o755)
		} else {
			var data []byte
			if data, err = os.ReadFile(c.From); err == nil {
				err = root.WriteFile(inside(c.Add), data, 0o600)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fillSystem puts the boot files onto the system volume: bcdboot's, and over
// them those of the signature that was asked for, with our own stores.
func (p *preparation) fillSystem(ctx context.Context, v *virtualDisk) error {
	root := p.host.root(v.letter)
	if err := os.MkdirAll(filepath.Join(root, "EFI", "Microsoft", "Boot"), 0o700); err != nil {
		return err
	}
	if err := p.host.do(ctx, v.boot()); err != nil {
		return err
	}
	boot, _ := p.tree.Stored(bootFilesDir)
	if err := p.arrange(filepath.Join(v.mount, filepath.FromSlash(boot)), root); err != nil {
		return err
	}
	for _, f := range p.plan.firmwares() {
		// Logs of bcdboot's store would be applied to ours.
		store := filepath.Join(root, filepath.FromSlash(storePath(f)))
		for _, log := range []string{".LOG", ".LOG1", ".LOG2"} {
			if err := os.Remove(store + log); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// bootSectors is the beginning of the system volume with our boot code in it.
func (p *preparation) bootSectors(f partFile) ([]byte, error) {
	v, err := p.openVolume(f, RoleSystem)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	boot := make([]byte, bootcode.PatchSize)
	if _, err := v.ReadAt(boot, 0); err != nil {
		return nil, err
	}
	return boot, bootcode.PatchFAT32(boot)
}

// checkPlaces makes sure that diskpart put the volumes where the plan has them:
// the boot store and the partition table say the plan's places.
func (p *preparation) checkPlaces(system, windows volumeFile) error {
	sector := make([]byte, 512)
	if _, err := system.ReadAt(sector, 0); err != nil {
		return err
	}
	const hiddenSectors = 28 // BPB_HiddSec, FAT specification 1.03, 3.1
	if have, want := int64(binary.LittleEndian.Uint32(sector[hiddenSectors:]))*int64(p.plan.SectorSize), system.place.Offset; have != want {
		return fmt.Errorf("the system volume was made at %d instead of %d", have, want)
	}
	v, err := ntfs.Open(windows)
	if err != nil {
		return err
	}
	if have, want := v.Size(), windows.place.Length; have != want {
		return fmt.Errorf("the Windows volume has %d bytes instead of %d", have, want)
	}
	return nil
}

// Rehearse writes to w what the programs of Windows would be told to make the
// master of spec in dir, without telling them. It looks at the image, and
// fails like Prepare where that is wrong.
func Rehearse(ctx context.Context, dir string, spec Spec, w io.Writer) error {
	plan, err := NewPlan(spec.Layout, spec.CapacityClass, spec.SectorSize)
	if err != nil {
		return err
	}
	v := newVirtualDisk(plan, spec, filepath.Join(dir, spec.Digest()+workSuffix), "S:")
	if err := v.check(); err != nil {
		return err
	}
	if _, err := v.dism().Bytes(ctx, v.image); err != nil {
		return err
	}
	_, err = io.WriteString(w, v.text(false))
	return err
}
