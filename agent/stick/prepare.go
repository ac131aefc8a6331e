package stick

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/zeebo/xxh3"

	"github.com/stickpress/stickpress/agent/fat"
	"github.com/stickpress/stickpress/agent/fulldisk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/volume"
	"github.com/stickpress/stickpress/agent/wim"
)

// preparation makes one master in a folder of its own. Its steps are in
// windows.go (the NTFS volume) and bootfiles.go (the FAT volume); here they
// are put in order and what they made is hashed.
type preparation struct {
	plan  *Plan
	spec  Spec
	image wim.Source
	// Either host makes the content with the programs of Windows, in a virtual
	// disk (virtual.go), or tool puts the image onto a volume in a file.
	host   *windowsHost
	tool   wim.Tool
	reader wim.Reader
	dir    string // becomes the master
	tmp    string // below dir, gone when it does
	work   progress

	tree  *wim.Tree // what the image holds
	files int       // how many files and directories that is
	bytes int64     // and how much file data
	hive  string    // the SYSTEM hive, a file in tmp
	boot  string    // the boot files, a folder in tmp
}

const (
	systemFile  = "system.img"
	windowsFile = "windows.img"
)

func newPreparation(plan *Plan, spec Spec, dir string, report func(done, total int64)) *preparation {
	p := &preparation{
		plan: plan, spec: spec, dir: dir, tmp: filepath.Join(dir, "tmp"), host: localHost(), tool: imageTool(),
		work: progress{report: report}, image: wim.Source{Path: spec.ImagePath, Edition: spec.Edition},
	}
	p.reader = p.tool
	return p
}

func (p *preparation) run(ctx context.Context) error {
	steps := p.steps
	if p.host != nil {
		steps = p.virtualSteps
	}
	if err := steps(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return p.noSpace(fmt.Errorf("prepare master: %w", err))
	}
	return nil
}

// steps looks at whatever can be wrong with an image before the long part,
// which is applying it, or beside it: the first failure ends the rest. All of
// it has ended when steps returns.
func (p *preparation) steps(ctx context.Context) error {
	if err := tool.Look(append(p.tools(), fat.Tools...)...); err != nil {
		return err
	}
	if err := os.Mkdir(p.tmp, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	booted := func() error { return nil }
	defer func() {
		cancel(nil)
		_ = booted()
	}()
	if err := p.readTree(ctx); err != nil {
		return err
	}
	booted = beside(func() error {
		err := p.makeBoot(ctx)
		if err != nil {
			cancel(err)
		}
		return err
	})
	if err := p.applyWindows(ctx); err != nil {
		return err
	}
	if err := booted(); err != nil {
		return err
	}
	if err := p.finishWindows(ctx); err != nil {
		return err
	}
	return p.describe(ctx, partFile{Name: systemFile}, partFile{Name: windowsFile})
}

// makeBoot takes the hive and the boot files out of the image, edits the one
// and makes the system volume of the others.
func (p *preparation) makeBoot(ctx context.Context) error {
	if err := p.extract(ctx); err != nil {
		return err
	}
	if err := p.editHive(); err != nil {
		return err
	}
	return p.makeSystem(ctx)
}

// describe reads the finished volumes and writes the manifest, which makes them
// a master.
func (p *preparation) describe(ctx context.Context, systemPart, windowsPart partFile) error {
	system, err := p.openVolume(systemPart, RoleSystem)
	if err != nil {
		return err
	}
	defer system.Close()
	windows, err := p.openVolume(windowsPart, RoleWindows)
	if err != nil {
		return err
	}
	defer windows.Close()
	if err := p.checkPlaces(system, windows); err != nil {
		return err
	}
	m := &manifest{Recipe: p.spec.recipe()}
	if err := p.describeSystem(m, system); err != nil {
		return err
	}
	if err := p.describeWindows(m, windows); err != nil {
		return err
	}
	if err := p.hash(ctx, m, system, windows); err != nil {
		return err
	}
	if err := removeTree(p.tmp); err != nil {
		return err
	}
	return m.write(p.dir)
}

// beside does work while its caller goes on. What it returns waits for the end
// and gives the error; it may be called again.
func beside(work func() error) (wait func() error) {
	end := make(chan struct{})
	var err error
	go func() {
		defer close(end)
		err = work()
	}()
	return func() error {
		<-end
		return err
	}
}

// volumeFile is a volume of the master, with its place on the device.
type volumeFile struct {
	*part
	partFile
	place Partition
}

func (p *preparation) openVolume(f partFile, role Role) (volumeFile, error) {
	place := p.plan.Partition(role)
	f.Extent = place.Extent
	o, err := openPart(p.dir, f)
	if err != nil {
		return volumeFile{}, err
	}
	f.Modified = o.modified
	return volumeFile{o, f, place}, nil
}

// add puts a volume's used bytes into the manifest.
func (v volumeFile) add(m *manifest, used []volume.Extent) error {
	used = volume.Join(volume.Align(used, Alignment), joinGap)
	if end := used[len(used)-1].End(); end > v.place.Length {
		return fmt.Errorf("%s: content ends at %d of %d", v.Name, end, v.place.Length)
	}
	m.Partitions = append(m.Partitions, v.partFile)
	m.Chunks = append(m.Chunks, split(v.shift(used))...)
	return nil
}

// shift turns extents of the volume into extents of the device.
func (v volumeFile) shift(extents []volume.Extent) []volume.Extent {
	moved := make([]volume.Extent, len(extents))
	for i, e := range extents {
		moved[i] = volume.Extent{Offset: e.Offset + v.place.Offset, Length: e.Length}
	}
	return moved
}

func (v volumeFile) shiftOffsets(offsets []int64) []int64 {
	moved := make([]int64, len(offsets))
	for i, at := range offsets {
		moved[i] = at + v.place.Offset
	}
	return moved
}

const (
	hashers   = 2         // how many chunks are hashed at once; more would wait for the disk
	hashPiece = 256 * kib // what is read at once for it
)

// hash reads the content once and fills in the hash of every chunk.
func (p *preparation) hash(ctx context.Context, m *manifest, volumes ...volumeFile) error {
	var total int64
	for _, c := range m.Chunks {
		total += c.Length
	}
	p.work.hashing(total)
	next := make(chan *chunk)
	errs := make([]error, hashers)
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i := range hashers {
		wait.Go(func() {
			piece := make([]byte, hashPiece)
			for c := range next {
				if errs[i] = hashChunk(c, piece, volumes); errs[i] != nil {
					cancel(errs[i])
					return
				}
				p.work.hashed(c.Length)
			}
		})
	}
feed:
	for i := range m.Chunks {
		select {
		case next <- &m.Chunks[i]:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wait.Wait()
	return errors.Join(append(errs, context.Cause(ctx))...)
}

// hashChunk reads a chunk in pieces that stay in the processor's cache between
// being read and being hashed.
func hashChunk(c *chunk, piece []byte, volumes []volumeFile) error {
	for _, v := range volumes {
		if c.Offset < v.place.Offset || c.End() > v.place.End() {
			continue
		}
		hasher := xxh3.New()
		for at := int64(0); at < c.Length; at += hashPiece {
			b := piece[:min(hashPiece, c.Length-at)]
			if n, err := v.ReadAt(b, c.Offset-v.place.Offset+at); n < len(b) {
				return fmt.Errorf("hash %s: %w", v.Name, err)
			}
			_, _ = hasher.Write(b) // cannot fail
		}
		c.XXH3 = hasher.Sum128().Bytes()
		return nil
	}
	return fmt.Errorf("no volume holds offset %d", c.Offset)
}

// tail is how much must be free when a write found no room, for the volume to
// be what was full and not the disk under it.
const tail = 32 * mib

// noSpace tells a full cache from an image that its volume cannot hold.
func (p *preparation) noSpace(err error) error {
	if err = fulldisk.Wrap(err); !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if p.cacheFull() {
		free, _ := freeBytes(p.dir)
		return protocol.WrapFault(err, protocol.FaultCacheFull, "need_bytes", p.bytes, "free_bytes", free)
	}
	return protocol.WrapFault(err, protocol.FaultImageTooBig, "need_bytes", p.bytes, "have_bytes", p.plan.Partition(RoleWindows).Length)
}

// cacheFull reports whether it was the disk under the cache that ran full.
func (p *preparation) cacheFull() bool {
	free, err := freeBytes(p.dir)
	return err != nil || free < tail
}
