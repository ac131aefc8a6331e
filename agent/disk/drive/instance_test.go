package drive

import "testing"

func TestParseUSB(t *testing.T) {
	t.Parallel()
	for instance, want := range map[string]USB{
		`USB\VID_0781&PID_5583\4C530001150813111472`: {"0781:5583", "4C530001150813111472"},
		`usb\vid_0951&pid_1666\E0D55Ea5`:             {"0951:1666", "E0D55Ea5"},
		`USB\VID_058F&PID_6387\6&1a2b3c4d&0&3`:       {"058f:6387", ""}, // made by Windows: the device has no serial
		`USB\VID_058F&PID_6387\7`:                    {"058f:6387", "7"},
	} {
		if got, ok := ParseUSB(instance); !ok || got != want {
			t.Errorf("%s: %+v, %v", instance, got, ok)
		}
	}
	for _, instance := range []string{
		`USB\ROOT_HUB30\4&1b2c3d&0&0`, `USB\VID_0781&PID_5583&MI_00\6&abc&0&0000`, `USBSTOR\DISK&VEN_SANDISK\4C53&0`, ``, `USB\VID_0781&PID_5583\`,
	} {
		if got, ok := ParseUSB(instance); ok {
			t.Errorf("%s: taken for %+v", instance, got)
		}
	}
}

func TestParseLUN(t *testing.T) {
	t.Parallel()
	for instance, want := range map[string]int{
		`USBSTOR\DISK&VEN_SANDISK&PROD_ULTRA&REV_1.00\4C530001150813&0`:                             0,
		`USBSTOR\DISK&VEN_GENERIC&PROD_SD/MMC/MS/MSPRO&REV_1.00\058F63666485&3`:                     3,
		`SCSI\DISK&VEN_SAMSUNG&PROD_PORTABLE_SSD_T5\7&2f6d3a1&0&00001A`:                             26,
		`SCSI\DISK&VEN_NVME&PROD_X\5&2c`:                                                            0,
		`USBSTOR\DISK&VEN_X&PROD_Y\6&3b1c&0&00`:                                                     0,
		`SWD\MMDEVAPI\{0.0.0.00000000}.{5d6d3a1b-0000-0000-0000-000000000000}&99999999999999999999`: 0,
	} {
		if got := ParseLUN(instance); got != want {
			t.Errorf("%s: %d, want %d", instance, got, want)
		}
	}
}

func TestPort(t *testing.T) {
	t.Parallel()
	for location, want := range map[string][2]string{
		`PCIROOT(0)#PCI(1400)#USBROOT(0)#USB(1)#USB(4)`:            {"0:14.0-1.4", "0:14.0-1"},
		`PCIROOT(0)#PCI(1C04)#PCI(0000)#USBROOT(0)#USB(10)`:        {"0:1c.4:00.0-10", "usb0:1c.4:00.0"},
		`PCIROOT(0)#PCI(0D00)#USBROOT(0)#USB(2)#USBMI(0)`:          {"0:0d.0-2", "usb0:0d.0"},
		`PCIROOT(40)#PCI(0301)#PCI(0000)#USBROOT(0)#USB(3)#USB(1)`: {"40:03.1:00.0-3.1", "40:03.1:00.0-3"},
	} {
		if port, hub := Port(location); port != want[0] || hub != want[1] {
			t.Errorf("%s: %s below %s, want %s", location, port, hub, want)
		}
	}
	for _, location := range []string{
		`PCIROOT(0)#PCI(1400)#USBROOT(0)`, `ACPI(_SB_)#ACPI(PCI0)#ACPI(XHC_)#ACPI(RHUB)#ACPI(HS01)`,
		`PCIROOT(0)#PCI(ZZ00)#USBROOT(0)#USB(1)`, `Port_#0004.Hub_#0003`, ``, `VMBUS(0)#VMBUS({b1ac5f5e})#USBROOT(0)#USB(1)`,
	} {
		if port, hub := Port(location); port != location || hub != "" {
			t.Errorf("%s: %s below %q", location, port, hub)
		}
	}
}
