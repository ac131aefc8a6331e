package stick

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/fat"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/bootcode"
)

// needed are the paths without which the stick would not start.
func (p *preparation) needed() []string {
	list := []string{
		systemHive, systemDir + "/winload.efi", bootFilesDir + "/EFI/bootmgfw.efi", bootFilesDir + "/Fonts",
	}
	if p.spec.BootSignature == protocol.BootSignature2023 {
		list = append(list, bootFilesDir+"/EFI_EX/bootmgfw_EX.efi")
	}
	if slices.Contains(p.plan.firmwares(), bcd.BIOS) {
		list = append(list, systemDir+"/winload.exe", bootFilesDir+"/PCAT/bootmgr")
	}
	return list
}

// A source is a folder of the image whose files go into a folder of the
// system partition, later ones over earlier ones of the same name.
type source struct {
	from, to string
	ex       bool // names lose their suffix _EX: files signed under the 2023 CA
}

// sources follow what bcdboot copies.
func (p *preparation) sources() []source {
	ex := p.spec.BootSignature == protocol.BootSignature2023
	fonts := func(to string) []source {
		list := []source{{from: "Fonts", to: to + "/Fonts"}, {from: "Resources", to: to + "/Resources"}}
		if ex {
			list = append(list, source{"Fonts_EX", to + "/Fonts", true})
		}
		return list
	}
	list := []source{{from: "EFI", to: "EFI/Microsoft/Boot"}}
	if ex {
		list = append(list, source{"EFI_EX", "EFI/Microsoft/Boot", true})
	}
	list = append(list, fonts("EFI/Microsoft/Boot")...)
	if slices.Contains(p.plan.firmwares(), bcd.BIOS) {
		list = append(list, source{from: "PCAT", to: "Boot"})
		list = append(list, fonts("Boot")...)
	}
	return list
}

// makeSystem makes the FAT32 volume with the boot files of the image.
func (p *preparation) makeSystem(ctx context.Context) error {
	tree := filepath.Join(p.tmp, "system")
	if err := p.arrange(p.boot, tree); err != nil {
		return err
	}
	part := p.plan.Partition(RoleSystem)
	file := filepath.Join(p.dir, systemFile)
	err := fat.Make(ctx, file, tree, fat.Options{
		Size: part.Length, SectorSize: p.plan.SectorSize, Hidden: part.Offset / int64(p.plan.SectorSize), Label: SystemLabel(""),
	})
	if err != nil || !slices.Contains(p.plan.firmwares(), bcd.BIOS) {
		return err
	}
	return installBootCode(file)
}

// arrange lays the boot files out as they belong on the system partition.
// Names are put into lower case on the way, as FAT does not tell case apart.
func (p *preparation) arrange(boot, tree string) error {
	folders, err := os.ReadDir(boot)
	if err != nil {
		return err
	}
	for _, s := range p.sources() {
		i := slices.IndexFunc(folders, func(d fs.DirEntry) bool { return strings.EqualFold(d.Name(), s.from) })
		if i < 0 {
			continue // none of these is needed, see there
		}
		if err := copyTree(filepath.Join(boot, folders[i].Name()), filepath.Join(tree, s.to), s.ex); err != nil {
			return err
		}
	}
	if err := link(filepath.Join(tree, "EFI/Microsoft/Boot/bootmgfw.efi"), filepath.Join(tree, "EFI/Boot/bootx64.efi")); err != nil {
		return err
	}
	if slices.Contains(p.plan.firmwares(), bcd.BIOS) {
		if err := link(filepath.Join(tree, "Boot/bootmgr"), filepath.Join(tree, "bootmgr")); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(tree, "Boot/bootmgr")); err != nil {
			return err
		}
	}
	placeholder, err := Tag{}.encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tree, TagName), placeholder, 0o600); err != nil {
		return err
	}
	for _, f := range p.plan.firmwares() {
		store, err := emptyStore(p.plan, f)
		if err != nil {
			return err
		}
		file := filepath.Join(tree, storePath(f))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		// A store of the image's own, whose name is in lower case by now, would
		// be the same file on FAT.
		if err := removeTree(filepath.Join(filepath.Dir(file), strings.ToLower(filepath.Base(file)))); err != nil {
			return err
		}
		if err := os.WriteFile(file, store, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// copyTree links the files below from into to. With ex the suffix _EX of
// their names is dropped, and files without it are left out: all else comes
// from the other set.
func copyTree(from, to string, ex bool) error {
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		if ex {
			plain, ok := withoutEX(rel)
			if !ok {
				return nil
			}
			rel = plain
		}
		return link(file, filepath.Join(to, strings.ToLower(rel)))
	})
}

// withoutEX drops the suffix of a name like bootmgfw_EX.efi, whose
// translation is bootmgfw_EX.efi.mui.
func withoutEX(rel string) (plain string, ok bool) {
	dir, name := path.Split(rel)
	stem, ext, _ := strings.Cut(name, ".")
	if len(stem) <= 3 || !strings.EqualFold(stem[len(stem)-3:], "_EX") {
		return "", false
	}
	return dir + stem[:len(stem)-3] + "." + ext, true
}

// link makes to another name of from, in place of what it named before; where
// there are no second names, as on FAT, or on another volume, a copy.
func link(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

// installBootCode makes the FAT32 volume startable by a BIOS.
func installBootCode(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	boot := make([]byte, bootcode.PatchSize)
	if _, err := f.ReadAt(boot, 0); err != nil {
		return err
	}
	if err := bootcode.PatchFAT32(boot); err != nil {
		return err
	}
	_, err = f.WriteAt(boot, 0)
	return err
}

// describeSystem puts the volume into the manifest.
func (p *preparation) describeSystem(m *manifest, f volumeFile) error {
	v, err := fat.Open(f)
	if err != nil {
		return err
	}
	for _, firmware := range p.plan.firmwares() {
		store, err := v.Find(storePath(firmware))
		if err != nil {
			return fmt.Errorf("place of the boot store: %w", err)
		}
		extents, err := store.Extents()
		if err != nil {
			return fmt.Errorf("place of the boot store: %w", err)
		}
		m.Places.Stores = append(m.Places.Stores, StorePlace{firmware, store.Size, f.shift(extents)})
	}
	tag, err := v.Find(TagName)
	if err != nil {
		return fmt.Errorf("place of %s: %w", TagName, err)
	}
	extents, err := tag.Extents()
	if err != nil {
		return fmt.Errorf("place of %s: %w", TagName, err)
	}
	labels, err := v.LabelOffsets()
	if err != nil {
		return fmt.Errorf("place of the system volume's label: %w", err)
	}
	m.Places.Tag = f.shift(extents)
	m.Places.FATLabel = f.shiftOffsets(labels)
	m.Places.FATSerial = f.shiftOffsets(v.SerialOffsets())
	return f.add(m, v.UsedExtents())
}
