package sample

import (
	"fmt"
	"strings"

	"github.com/stickpress/stickpress/agent/hive"
)

// hives returns the registry files of an edition by their path in the image.
// Keys and values are the ones a generalized Windows 11 24H2 has at these places,
// as far as anything in Stickpress reads or changes them.
func hives(e Edition, imageState string) (map[string][]byte, error) {
	const config = "Windows/System32/config/"
	files := make(map[string][]byte)
	for path, root := range map[string]hive.Key{
		config + "SYSTEM":          systemHive(),
		config + "SOFTWARE":        softwareHive(e, imageState),
		config + "SAM":             key(rootName, key("SAM", key("Domains"))),
		config + "SECURITY":        key(rootName, key("Policy", key("Accounts"))),
		config + "DEFAULT":         key(rootName, key("Control Panel", key("Desktop")), key("Software")),
		config + "DRIVERS":         key(rootName, key("DriverDatabase", key("DriverPackages"))),
		"Users/Default/NTUSER.DAT": key(rootName, key("Control Panel", key("Desktop")), key("Software", key("Microsoft"))),
	} {
		name := path[strings.LastIndexByte(path, '/')+1:]
		data, err := hive.Write(root, hive.Options{Name: name, Time: timestamp})
		if err != nil {
			return nil, fmt.Errorf("write hive %s: %w", path, err)
		}
		files[path] = data
	}
	return files, nil
}

func systemHive() hive.Key {
	return key(rootName,
		values(key("Select"), hive.DWORD("Current", 1), hive.DWORD("Default", 1), hive.DWORD("Failed", 0), hive.DWORD("LastKnownGood", 1)),
		// Drive letters of the machine that the image was captured on.
		values(key("MountedDevices"),
			hive.Binary(`\DosDevices\C:`, []byte("DMIO:ID:\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10")),
			hive.Binary(`\DosDevices\D:`, []byte("\x78\x56\x34\x12\x00\x00\x10\x00\x00\x00\x00\x00"))),
		values(key("Setup",
			key("Status", values(key("SysprepStatus"), hive.DWORD("GeneralizationState", 7), hive.DWORD("CleanupState", 2)))),
			hive.SZ("CmdLine", `oobe\windeploy.exe`), hive.DWORD("SetupType", 2), hive.DWORD("SystemSetupInProgress", 1), hive.DWORD("OOBEInProgress", 1),
			// Left over from sysprep; it would hide our answer file.
			hive.SZ("UnattendFile", `C:\Windows\System32\Sysprep\unattend.xml`)),
		key("ControlSet001",
			key("Control",
				values(key("BitLocker")),
				key("ComputerName", values(key("ComputerName"), hive.SZ("ComputerName", "SAMPLE-PC"))),
				key("Nls", values(key("Language"), hive.SZ("Default", "0409"), hive.SZ("InstallLanguage", "0409"))),
				values(key("ProductOptions"), hive.SZ("ProductType", "WinNT"), hive.MultiSZ("ProductSuite", "Terminal Server")),
				values(key("Session Manager",
					values(key("Environment"), hive.SZ("PROCESSOR_ARCHITECTURE", "AMD64"), hive.ExpandSZ("windir", "%SystemRoot%")),
					values(key("Power"), hive.DWORD("HiberbootEnabled", 1))),
					hive.MultiSZ("BootExecute", "autocheck autochk *"))),
			key("Enum"),
			key("Hardware Profiles"),
			services()),
	)
}

// services has the disk and USB drivers, among enough others to need more than
// one block for the list.
func services() hive.Key {
	k := key("Services")
	driver := func(name string, start, bootFlags uint32, sub ...hive.Key) {
		d := values(key(name, sub...), hive.DWORD("Type", 1), hive.DWORD("Start", start), hive.DWORD("ErrorControl", 1),
			hive.ExpandSZ("ImagePath", `System32\drivers\`+strings.ToLower(name)+".sys"))
		if bootFlags != 0 {
			d = values(d, hive.DWORD("BootFlags", bootFlags))
		}
		k.Keys = append(k.Keys, d)
	}
	driver("disk", 0, 0)
	driver("partmgr", 0, 0, values(key("Parameters"), hive.DWORD("SanPolicy", 1)))
	driver("UASPStor", 3, 4)
	driver("USBHUB3", 3, 4)
	driver("USBSTOR", 3, 4)
	driver("USBXHCI", 3, 4)
	driver("volmgr", 0, 0)
	for i := range 300 {
		driver(fmt.Sprintf("SampleDriver%03d", i), 3, 0)
	}
	return k
}

func softwareHive(e Edition, imageState string) hive.Key {
	return key(rootName,
		key("Classes"),
		key("Microsoft",
			key("Windows", key("CurrentVersion",
				key("Policies", key("System")),
				key("Setup", values(key("State"), hive.SZ("ImageState", imageState))))),
			key("Windows NT", values(key("CurrentVersion"),
				hive.SZ("ProductName", e.Name), hive.SZ("EditionID", e.ID), hive.SZ("InstallationType", "Client"),
				hive.SZ("CurrentVersion", "6.3"), hive.SZ("CurrentBuild", fmt.Sprint(Build)), hive.SZ("CurrentBuildNumber", fmt.Sprint(Build)),
				hive.DWORD("CurrentMajorVersionNumber", 10), hive.DWORD("CurrentMinorVersionNumber", 0), hive.DWORD("UBR", 1742),
				hive.SZ("DisplayVersion", "24H2"), hive.SZ("SystemRoot", `C:\Windows`)))),
		key("Policies", key("Microsoft")),
	)
}

// rootName is what Windows's own setup calls the root key of the hives it makes.
const rootName = "ROOT"

func key(name string, sub ...hive.Key) hive.Key {
	return hive.Key{Name: name, Keys: sub}
}

func values(k hive.Key, v ...hive.Value) hive.Key {
	k.Values = append(k.Values, v...)
	return k
}
