package stick

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/volume"
	"github.com/stickpress/stickpress/agent/wim"
)

// Where things are in a Windows; the image decides about their case.
const (
	windowsDir   = "/Windows"
	systemDir    = "/Windows/System32"
	systemHive   = "/Windows/System32/config/SYSTEM"
	pantherDir   = "/Windows/Panther"
	sysprepDir   = "/Windows/System32/Sysprep"
	answerName   = "unattend.xml"
	answerPath   = pantherDir + "/" + answerName
	ntfsCluster  = 4096 // bytes, on every sector size
	bootFilesDir = "/Windows/Boot"
)

// mkntfs and ntfscp are the programs of ntfs-3g that make the Windows volume.
var (
	mkntfs = tool.Command{Name: "mkntfs", Package: "ntfs-3g"}
	ntfscp = tool.Command{Name: "ntfscp", Package: "ntfs-3g"}
)

// readTree lists the image and looks for what no stick can do without.
func (p *preparation) readTree(ctx context.Context) error {
	paths, err := p.reader.List(ctx, p.image)
	if err != nil {
		return err
	}
	p.tree, p.files = wim.NewTree(paths), len(paths)
	for _, need := range p.needed() {
		if _, ok := p.tree.Stored(need); !ok {
			return protocol.NewFault(protocol.FaultImageContent, "path", need)
		}
	}
	return nil
}

// extract takes what a preparation works on out of the image, in one go.
func (p *preparation) extract(ctx context.Context) error {
	system, _ := p.tree.Stored(systemHive)
	boot, _ := p.tree.Stored(bootFilesDir)
	out := filepath.Join(p.tmp, "image")
	p.hive, p.boot = filepath.Join(out, system), filepath.Join(out, boot)
	if err := p.tool.Extract(ctx, p.image, out, []string{system, boot}); err != nil {
		return err
	}
	return p.noLinks(out)
}

// noLinks refuses an image in which something that is needed is a link: what
// was extracted would be a link on this host, and could lead to any of its
// files.
func (p *preparation) noLinks(out string) error {
	root, err := os.OpenRoot(out)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, need := range append(p.needed(), bootFilesDir) {
		stored, _ := p.tree.Stored(need)
		info, err := root.Lstat(strings.TrimPrefix(stored, "/"))
		if errors.Is(err, os.ErrNotExist) {
			continue // was not asked for
		}
		// Lstat fails where a folder on the way leads out.
		if err != nil || info.Mode()&os.ModeType&^os.ModeDir != 0 {
			return protocol.WrapFault(err, protocol.FaultImageContent, "path", need)
		}
	}
	return nil
}

// editHive gives the SYSTEM hive the settings of a Windows that travels
// between PCs.
func (p *preparation) editHive() error {
	raw, err := os.ReadFile(p.hive)
	if err != nil {
		return err
	}
	h, err := hive.Open(raw)
	switch {
	case errors.Is(err, hive.ErrDirty):
		return protocol.WrapFault(err, protocol.FaultHiveDirty, "hive", systemHive)
	case err != nil:
		return protocol.WrapFault(fmt.Errorf("%s: %w", systemHive, err), protocol.FaultImageCorrupt, "detail", systemHive)
	}
	if err := h.MakePortable(hive.PortableOptions{PortableOperatingSystem: p.spec.PortableOperatingSystem}); err != nil {
		return protocol.WrapFault(fmt.Errorf("%s: %w", systemHive, err), protocol.FaultImageCorrupt, "detail", systemHive)
	}
	return os.WriteFile(p.hive, h.Bytes(), 0o600)
}

// changes are what is done to the image before it is applied: every answer
// file that Windows would find before ours, or instead of it, goes, and a
// placeholder comes to where a stick's own is put.
func (p *preparation) changes() ([]wim.Change, error) {
	var list []wim.Change
	remove := func(path string) {
		for _, stored := range p.tree.Variants(path) {
			list = append(list, wim.Change{Delete: stored})
		}
	}
	remove(pantherDir + "/Unattend")
	for _, dir := range []string{pantherDir, sysprepDir} {
		remove(dir + "/" + answerName)
		remove(dir + "/autounattend.xml")
	}
	windows, _ := p.tree.Stored(windowsDir)
	panther, ok := p.tree.Stored(pantherDir)
	if !ok {
		empty := filepath.Join(p.tmp, "empty")
		if err := os.Mkdir(empty, 0o700); err != nil {
			return nil, err
		}
		panther = path.Join(windows, path.Base(pantherDir))
		list = append(list, wim.Change{Add: panther, From: empty})
	}
	placeholder := filepath.Join(p.tmp, answerName)
	padded, err := padAnswerFile(nil)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(placeholder, padded, 0o600); err != nil {
		return nil, err
	}
	return append(list, wim.Change{Add: path.Join(panther, answerName), From: placeholder}), nil
}

// applyWindows makes an NTFS volume and puts the image onto it. The image's
// tree is changed beforehand; what needs no changed tree is done meanwhile.
func (p *preparation) applyWindows(ctx context.Context) error {
	file := filepath.Join(p.dir, windowsFile)
	ready := beside(func() error {
		if err := p.room(ctx); err != nil {
			return err
		}
		return p.format(ctx, file)
	})
	staged, err := p.stage(ctx)
	if readyErr := ready(); err == nil {
		err = readyErr
	}
	if err != nil {
		return err
	}
	err = p.fill(ctx, staged, file, true)
	if errors.Is(err, syscall.ENOSPC) && ctx.Err() == nil && !p.cacheFull() {
		// The image holds more than it says: the fence was too narrow.
		if err := errors.Join(os.Remove(file), p.format(ctx, file)); err != nil {
			return err
		}
		err = p.fill(ctx, staged, file, false)
	}
	return err
}

// stage makes the image that is applied: as it came, with our changes.
func (p *preparation) stage(ctx context.Context) (wim.Source, error) {
	changes, err := p.changes()
	if err != nil {
		return wim.Source{}, err
	}
	return p.tool.Stage(ctx, p.image, p.tmp, changes)
}

// fill applies the image to the empty volume, inside a fence or without.
func (p *preparation) fill(ctx context.Context, staged wim.Source, file string, fenced bool) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var around fence
	if fenced {
		v, err := ntfs.Open(f)
		if err != nil {
			return err
		}
		if around, err = fenceFor(v, p.bytes, p.files); err != nil {
			return err
		}
		if err := around.raise(f); err != nil {
			return err
		}
	}
	if err := p.tool.Apply(ctx, staged, file, p.work.applying); err != nil {
		return err
	}
	return around.lower(f)
}

func (p *preparation) format(ctx context.Context, file string) error {
	part := p.plan.Partition(RoleWindows)
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(part.Length), f.Close()); err != nil {
		return err
	}
	sector := int64(p.plan.SectorSize)
	return runTool(ctx, mkntfs, "-F", "-Q", "-q", "-L", WindowsLabel(""),
		"-s", strconv.FormatInt(sector, 10), "-c", strconv.Itoa(ntfsCluster),
		"-p", strconv.FormatInt(part.Offset/sector, 10), "-H", "255", "-S", "63", file)
}

// room measures the image, and refuses one that cannot fit before the work is
// done. What the image says about its size may be wrong; then the disk tells.
func (p *preparation) room(ctx context.Context) error {
	need, err := p.reader.Bytes(ctx, p.image)
	if err != nil {
		return err
	}
	p.bytes = need
	if have := p.plan.Partition(RoleWindows).Length; need > have {
		return protocol.NewFault(protocol.FaultImageTooBig, "need_bytes", need, "have_bytes", have)
	}
	free, err := freeBytes(p.dir)
	if err != nil {
		return err
	}
	if need > free {
		return protocol.NewFault(protocol.FaultCacheFull, "need_bytes", need, "free_bytes", free)
	}
	return nil
}

// finishWindows puts the edited hive in and closes what carries the answer
// file to all but SYSTEM and Administrators.
func (p *preparation) finishWindows(ctx context.Context) error {
	f, err := os.OpenFile(filepath.Join(p.dir, windowsFile), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	v, err := ntfs.Open(f)
	if err != nil {
		return err
	}
	stored, err := v.Stored(systemHive)
	if err != nil {
		return err
	}
	// Over the file that is there: its security descriptor stays.
	if err := runTool(ctx, ntfscp, "-f", "-q", f.Name(), p.hive, stored); err != nil {
		return err
	}
	closed := []string{answerPath}
	if _, there := p.tree.Stored(pantherDir); !there {
		closed = append(closed, pantherDir)
	}
	for _, path := range closed {
		file, err := v.Find(path)
		if err != nil {
			return err
		}
		patches, err := v.SetDescriptor(file, ntfs.SystemAndAdministrators(file.IsDirectory()))
		if err != nil {
			return err
		}
		if err := volume.Apply(f, patches); err != nil {
			return err
		}
	}
	return nil
}

// describeWindows puts the volume into the manifest, after a last look that
// nothing shadows the answer file.
func (p *preparation) describeWindows(m *manifest, f volumeFile) error {
	v, err := ntfs.Open(f)
	if err != nil {
		return err
	}
	if err := checkShadows(v); err != nil {
		return err
	}
	answer, err := v.Find(answerPath)
	if err != nil {
		return err
	}
	extents, err := answer.Extents()
	if err != nil {
		return fmt.Errorf("place of the answer file: %w", err)
	}
	if volume.Total(extents) != AnswerFileLimit {
		return fmt.Errorf("place of the answer file: %d bytes", volume.Total(extents))
	}
	used, err := v.UsedExtents()
	if err != nil {
		return err
	}
	labels, err := v.LabelExtents()
	if err != nil {
		return fmt.Errorf("place of the Windows volume's label: %w", err)
	}
	for _, label := range labels {
		m.Places.NTFSLabel = append(m.Places.NTFSLabel, f.shift(label))
	}
	m.Places.AnswerFile = f.shift(extents)
	m.Places.NTFSSerial = f.shiftOffsets(v.SerialOffsets())
	return f.add(m, used)
}

// checkShadows looks at every place where Windows would find another answer
// file before the stick's own, or beside it.
func checkShadows(v *ntfs.Volume) error {
	for _, place := range []struct {
		dir, name string
		want      int
	}{
		{pantherDir, answerName, 1},
		{pantherDir, "autounattend.xml", 0},
		{pantherDir, "Unattend", 0},
		{sysprepDir, answerName, 0},
		{sysprepDir, "autounattend.xml", 0},
	} {
		names, err := v.Variants(place.dir, place.name)
		if err != nil {
			return err
		}
		if len(names) != place.want {
			return fmt.Errorf("%s holds %q: Windows would not take the stick's answer file", place.dir, names)
		}
	}
	return nil
}

func runTool(ctx context.Context, c tool.Command, args ...string) error {
	c.Args = args
	err := c.Run(ctx)
	if exit := tool.Exit(err); exit != nil {
		return exit.Fault()
	}
	return err
}
