package hive

import (
	"errors"
	"fmt"
)

// PortableOptions are the choices that a task sequence has about the SYSTEM hive of a stick.
type PortableOptions struct {
	// PortableOperatingSystem presets the mark by which Windows knows that it is on a stick. Windows sets it itself
	// at boot; without the preset the first boot may begin without it. When false, what the image says stays.
	PortableOperatingSystem bool
}

// MakePortable gives the SYSTEM hive of an applied image the settings of a Windows that travels between PCs.
// It may be repeated. In the control set that Select\Default names:
//
//   - Services\partmgr\Parameters SanPolicy = 4: the disks of the host PC stay offline
//     (Microsoft, "Windows To Go: feature overview"; without it a stick may write to them).
//   - Control PortableOperatingSystem = 1, by choice.
//   - Control\Session Manager\Power HiberbootEnabled = 0: no kernel is hibernated on one PC and resumed on another.
//   - Control\BitLocker PreventDeviceEncryption = 1: the stick is not bound to the TPM of the first PC.
//
// And in the hive: MountedDevices is emptied, whose drive letters belong to other disks; UnattendFile of Setup is
// removed, which would take precedence over the answer file in \Windows\Panther.
//
// It returns [ErrNotExist] if this is not a SYSTEM hive with the control set that it names.
func (h *Hive) MakePortable(opts PortableOptions) error {
	set, err := h.controlSet()
	if err != nil {
		return fmt.Errorf("make SYSTEM hive portable: %w", err)
	}
	settings := []struct {
		path  string
		value Value
	}{
		{`\Services\partmgr\Parameters`, DWORD("SanPolicy", 4)},
		{`\Control\Session Manager\Power`, DWORD("HiberbootEnabled", 0)},
		{`\Control\BitLocker`, DWORD("PreventDeviceEncryption", 1)},
	}
	for _, s := range settings {
		if err := h.Set(set+s.path, s.value); err != nil {
			return fmt.Errorf("make SYSTEM hive portable: %w", err)
		}
	}
	if opts.PortableOperatingSystem {
		if err := h.Set(set+`\Control`, DWORD("PortableOperatingSystem", 1)); err != nil {
			return fmt.Errorf("make SYSTEM hive portable: %w", err)
		}
	}
	if err := h.DeleteValues("MountedDevices"); err != nil && !errors.Is(err, ErrNotExist) {
		return fmt.Errorf("make SYSTEM hive portable: %w", err)
	}
	if err := h.DeleteValue("Setup", "UnattendFile"); err != nil && !errors.Is(err, ErrNotExist) {
		return fmt.Errorf("make SYSTEM hive portable: %w", err)
	}
	return nil
}

// controlSet returns the name of the control set that Windows will boot with, "ControlSet001" as a rule.
// CurrentControlSet, which points at it, exists in a running Windows only.
func (h *Hive) controlSet() (string, error) {
	v, err := h.Value("Select", "Default")
	if err != nil {
		return "", err
	}
	number, err := v.Uint32()
	if err != nil {
		return "", err
	}
	set := fmt.Sprintf("ControlSet%03d", number)
	if _, err := h.find(set); err != nil {
		return "", err
	}
	return set, nil
}

// ImageState reads from a SOFTWARE hive how far setup has come, for instance "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
// of an image that is ready for deployment, or "IMAGE_STATE_COMPLETE" of one that is bound to a PC.
// It returns [ErrNotExist] if the hive has no such value. States: Microsoft, "Windows Setup States".
func (h *Hive) ImageState() (string, error) {
	v, err := h.Value(`Microsoft\Windows\CurrentVersion\Setup\State`, "ImageState")
	if err != nil {
		return "", fmt.Errorf("read image state: %w", err)
	}
	state, err := v.Text()
	if err != nil {
		return "", fmt.Errorf("read image state: %w", err)
	}
	return state, nil
}
