package capture

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/protocol"
)

// Where a Windows keeps what it says about itself.
const (
	softwareHive = "Windows/System32/config/SOFTWARE"
	systemHive   = "Windows/System32/config/SYSTEM"
	currentKey   = `Microsoft\Windows NT\CurrentVersion`
	environment  = `\Control\Session Manager\Environment`
)

// Windows is what a Windows says about itself in its registry. What it does
// not say is empty.
type Windows struct {
	ImageState   string // "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
	ProductName  string // "Windows 11 Enterprise"
	EditionID    string // "Enterprise"
	Architecture string // "AMD64", "ARM64", "x86"
	Build        int    // 26100
	Revision     int    // 1742
}

// readWindows reads both hives. A hive that was not closed properly is the
// fault hive_dirty: its newest changes are in logs that nobody here plays back,
// and no stick could be made from it.
func readWindows(v *ntfs.Volume) (*Windows, error) {
	software, err := openHive(v, softwareHive)
	if err != nil {
		return nil, err
	}
	system, err := openHive(v, systemHive)
	if err != nil {
		return nil, err
	}
	w := new(Windows)
	if w.ImageState, err = software.ImageState(); err != nil && !errors.Is(err, hive.ErrNotExist) {
		return nil, badHive(softwareHive, err)
	}
	text := func(h *hive.Hive, path, name string) string {
		value, err := h.Value(path, name)
		if err != nil {
			return ""
		}
		s, _ := value.Text()
		return strings.TrimSpace(s)
	}
	w.ProductName = text(software, currentKey, "ProductName")
	w.EditionID = text(software, currentKey, "EditionID")
	w.Build, _ = strconv.Atoi(text(software, currentKey, "CurrentBuildNumber"))
	if value, err := software.Value(currentKey, "UBR"); err == nil {
		n, _ := value.Uint32()
		w.Revision = int(n)
	}
	if value, err := system.Value("Select", "Default"); err == nil {
		n, _ := value.Uint32()
		w.Architecture = text(system, fmt.Sprintf("ControlSet%03d", n)+environment, "PROCESSOR_ARCHITECTURE")
	}
	// Windows 11 never changed the name that the registry gives; its builds
	// begin with 22000 (Microsoft, "Windows 11 release information").
	if rest, ten := strings.CutPrefix(w.ProductName, "Windows 10"); ten && w.Build >= 22000 {
		w.ProductName = "Windows 11" + rest
	}
	return w, nil
}

func openHive(v *ntfs.Volume, path string) (*hive.Hive, error) {
	f, err := v.Find(path)
	if err != nil {
		return nil, err
	}
	raw, err := f.Read()
	if err != nil {
		return nil, err
	}
	h, err := hive.Open(raw)
	switch {
	case errors.Is(err, hive.ErrDirty):
		return nil, protocol.WrapFault(err, protocol.FaultHiveDirty, "hive", path)
	case err != nil:
		return nil, badHive(path, err)
	}
	return h, nil
}

func badHive(path string, err error) error {
	return protocol.WrapFault(fmt.Errorf("%s: %w", path, err), protocol.FaultCaptureCorrupt, "detail", fmt.Sprintf("%s: %v", path, err))
}

// The states of an image that a capture tells apart (Microsoft, "Windows
// Setup States").
const (
	stateGeneralized  = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
	stateUndeployable = "IMAGE_STATE_UNDEPLOYABLE"
)

// deployable refuses what must not go onto other PCs: what is bound to its
// own, unless anyState allows that, and what setup has left half done.
func (w *Windows) deployable(anyState bool) error {
	switch {
	case w.ImageState == stateUndeployable:
		return protocol.NewFault(protocol.FaultCaptureUndeployable, "state", w.ImageState)
	case w.ImageState != stateGeneralized && !anyState:
		return protocol.NewFault(protocol.FaultCaptureNotGeneralized, "state", w.ImageState)
	}
	return nil
}
