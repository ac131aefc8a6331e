package stick

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stickpress/stickpress/agent/volume"
)

// Master is the content that all sticks of one Spec share: a sparse file for
// each partition and a manifest that says which bytes are content, their
// hashes, and where a stick's own bytes go. It stays usable while it is open,
// even when its folder is removed.
type Master struct {
	dir      string
	plan     *Plan
	manifest *manifest
	chunks   []volume.Extent // of the manifest
	files    []*part         // beside manifest.Partitions
	facts    func() (*Facts, error)
}

var _ Content = (*Master)(nil)

// Beside a master's folder, which is named by its digest, lie its lock and,
// while it is being made, the folder that becomes it.
const (
	lockSuffix = ".lock"
	workSuffix = ".tmp"
)

// ErrMasterDamaged is wrapped by the error of a Press whose master does not
// hold what its manifest says. The master was removed: Prepare makes it anew.
var ErrMasterDamaged = errors.New("prepared master is damaged")

// Prepare returns the master of a Spec, which lives in a folder below dir. It
// makes it unless a finished one is there. Calls for one Spec, of this or of
// other programs, wait for one another, so that the work is done once.
//
// report gets bytes of work done and in all; the total may change while the
// work goes on. Nothing unfinished is left behind by an error; what a killed
// program left is removed by the next call for the Spec.
//
// Faults: tool_missing, tool_failed, image_corrupt, edition_missing,
// image_content, image_too_big, hive_dirty, device_sector_size, cache_full.
// A cancelled call returns the cause of ctx.
func Prepare(ctx context.Context, dir string, spec Spec, report func(done, total int64)) (*Master, error) {
	plan, err := NewPlan(spec.Layout, spec.CapacityClass, spec.SectorSize)
	if err != nil {
		return nil, err
	}
	if report == nil {
		report = func(int64, int64) {}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("prepare master: %w", err)
	}
	final := filepath.Join(dir, spec.Digest())
	lock, err := acquire(ctx, final+lockSuffix, report)
	if err != nil {
		return nil, fmt.Errorf("prepare master: %w", err)
	}
	defer lock.release()

	m, err := openMaster(final, plan, spec)
	if !errors.Is(err, errNoMaster) {
		return m, err
	}
	work := final + workSuffix
	if err := errors.Join(removeWork(work), removeTree(final), os.Mkdir(work, 0o700)); err != nil {
		return nil, fmt.Errorf("prepare master: %w", err)
	}
	shared := func(done, total int64) {
		lock.note(done, total)
		report(done, total)
	}
	if err := newPreparation(plan, spec, work, shared).run(ctx); err != nil {
		return nil, errors.Join(err, removeTree(work))
	}
	if err := os.Rename(work, final); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare master: %w", err), removeTree(work))
	}
	return openMaster(final, plan, spec)
}

// Sweep removes what killed programs left in the folder of masters: work of
// which nobody holds the lock. Work that is under way, here or in another
// program, is left alone.
func Sweep(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "*"+workSuffix))
	if err != nil {
		return fmt.Errorf("sweep masters: %w", err)
	}
	var errs []error
	for _, work := range left {
		lock, err := tryLock(strings.TrimSuffix(work, workSuffix) + lockSuffix)
		if err != nil {
			errs = append(errs, err)
		}
		if lock == nil {
			continue
		}
		errs = append(errs, removeWork(work))
		lock.release()
	}
	return errors.Join(errs...)
}

// openMaster opens a finished master after a look at its files: their sizes
// and times are those of the manifest. The content itself is checked as it is
// read by Press. It wraps errNoMaster when there is none to use.
func openMaster(dir string, plan *Plan, spec Spec) (*Master, error) {
	man, err := readManifest(dir, spec.recipe())
	if err != nil {
		return nil, err
	}
	m := &Master{dir: dir, plan: plan, manifest: man}
	m.facts = sync.OnceValues(m.gatherFacts)
	for _, c := range man.Chunks {
		m.chunks = append(m.chunks, c.Extent)
	}
	for _, p := range man.Partitions {
		f, err := openPart(dir, p)
		if err != nil {
			m.Close()
			var path *os.PathError
			if errors.As(err, &path) && !errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("open master: %w", err)
			}
			return nil, fmt.Errorf("%w: %w", errNoMaster, err)
		}
		m.files = append(m.files, f)
		if f.modified != p.Modified {
			m.Close()
			return nil, fmt.Errorf("%w: %s was changed", errNoMaster, p.Name)
		}
	}
	return m, nil
}

// Digest names the master, see Spec.Digest.
func (m *Master) Digest() string { return filepath.Base(m.dir) }

// Plan is the geometry of the sticks.
func (m *Master) Plan() *Plan { return m.plan }

// Chunks implements Content.
func (m *Master) Chunks() []volume.Extent { return m.chunks }

// Bytes is the length of the content; tables come on top.
func (m *Master) Bytes() int64 { return volume.Total(m.chunks) }

// Fit implements Content. Faults: device_too_small, device_sector_size,
// answer_file_too_long.
func (m *Master) Fit(t *Target) (*Fit, error) {
	size := t.Device.Size()
	if err := m.plan.Check(size, t.Device.SectorSize()); err != nil {
		return nil, err
	}
	table, err := m.plan.table(t.Personal, size)
	if err != nil {
		return nil, err
	}
	patches, err := t.Personal.patches(m.plan, m.manifest.Places)
	if err != nil {
		return nil, err
	}
	wipe := m.plan.wiped(size)
	return &Fit{
		DiskID: t.Personal.DiskID(m.plan.Layout), Seed: t.Personal.LoaderID, Probes: Marks(size, wipe),
		Wipe: wipe, Patches: patches, Table: table,
	}, nil
}

// Places says where the bytes of a stick's personalisation go.
func (m *Master) Places() Places { return m.manifest.Places }

// Close releases the master's files.
func (m *Master) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Remove takes the master out of the cache, unless another one was made in its
// place since. It stays usable until Close.
func (m *Master) Remove() error {
	if len(m.files) > 0 {
		own, err := m.files[0].file.Stat()
		there, gone := os.Stat(filepath.Join(m.dir, m.manifest.Partitions[0].Name))
		if err == nil && gone == nil && !os.SameFile(own, there) {
			return nil
		}
	}
	if err := removeTree(m.dir); err != nil {
		return fmt.Errorf("remove master: %w", err)
	}
	return nil
}

// Read implements Content. A master that fails its check is removed.
func (m *Master) Read(i int, buf []byte) (Sum, error) {
	c := m.manifest.Chunks[i]
	for i, p := range m.manifest.Partitions {
		if c.Offset < p.Offset || c.End() > p.End() {
			continue
		}
		if _, err := m.files[i].ReadAt(buf, c.Offset-p.Offset); err != nil {
			return Sum{}, fmt.Errorf("read master: %w", err)
		}
		if have := SumOf(buf); have != c.XXH3 {
			return Sum{}, errors.Join(fmt.Errorf("%w: %s at %d has hash %s, want %s", ErrMasterDamaged, p.Name, c.Offset-p.Offset, have, c.XXH3), m.Remove())
		}
		return c.XXH3, nil
	}
	return Sum{}, errors.Join(fmt.Errorf("%w: no partition holds offset %d", ErrMasterDamaged, c.Offset), m.Remove())
}
