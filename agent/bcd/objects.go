package bcd

// The objects that every store has under the same name (bcd.h; bcdedit /enum all /v).
var (
	BootManager        = mustGUID("9dea862c-5cdd-4e70-acc1-f32b344d4795")
	MemoryTest         = mustGUID("b2721d73-1db4-4c62-bf78-c548a880142d")
	GlobalSettings     = mustGUID("7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e")
	LoaderSettings     = mustGUID("6efb52bf-1766-41db-a6b3-0ee5eff72bd7")
	ResumeSettings     = mustGUID("1afa9c49-16ab-4a5c-901b-212802da9460")
	HypervisorSettings = mustGUID("7ff607e0-4395-11db-b0de-0800200c9a66")
	DebuggerSettings   = mustGUID("4636856e-540f-4170-a130-a84776f4c654")
	EMSSettings        = mustGUID("0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9")
	BadMemory          = mustGUID("5189b25c-5558-4bf2-bca4-289b11bd29e2")
)

var wellKnown = map[GUID]struct{}{
	BootManager: {}, MemoryTest: {}, GlobalSettings: {}, LoaderSettings: {}, ResumeSettings: {},
	HypervisorSettings: {}, DebuggerSettings: {}, EMSSettings: {}, BadMemory: {},
}

// Elements that any application may have.
const (
	ApplicationDevice  ElementType = 0x11000001
	ApplicationPath    ElementType = 0x12000002
	Description        ElementType = 0x12000004
	Locale             ElementType = 0x12000005
	Inherit            ElementType = 0x14000006
	DebuggerType       ElementType = 0x15000011 // 4: local
	EMSEnabled         ElementType = 0x16000020
	RecoveryEnabled    ElementType = 0x16000009 // whether a failed boot starts the recovery environment
	BadMemoryAllowed   ElementType = 0x1600000b
	IsolatedContext    ElementType = 0x16000060
	AllowedSettings    ElementType = 0x17000077 // elements that may differ under Secure Boot
	allowedUnderSecure             = 0x15000075 // the one that bcdboot allows
)

// Elements whose meaning depends on the object that has them.
const (
	BootManagerDefault ElementType = 0x23000003
	BootManagerResume  ElementType = 0x23000006
	BootManagerOrder   ElementType = 0x24000001
	BootManagerTools   ElementType = 0x24000010
	BootManagerTimeout ElementType = 0x25000004 // seconds

	SystemDevice     ElementType = 0x21000001 // of a loader; of a resume: the device of the hibernation file
	SystemRoot       ElementType = 0x22000002 // of a loader; of a resume: the hibernation file
	LoaderResume     ElementType = 0x23000003
	LoaderNX         ElementType = 0x25000020 // 0: data execution prevention as programs ask for it
	LoaderMenuPolicy ElementType = 0x250000c2 // 1: the graphical menu

	ResumeDebugOption  ElementType = 0x25000008
	HypervisorDebugger ElementType = 0x250000f3
	HypervisorPort     ElementType = 0x250000f4
	HypervisorBaudRate ElementType = 0x250000f5
)

// objects lists what the store holds. Elements are in the order of their types; the order of objects fixes where
// in the file each lies.
func (s Store) objects() []Object {
	suffix, test := ".exe", `\boot\memtest.exe`
	if s.Firmware == UEFI {
		suffix, test = ".efi", `\EFI\Microsoft\Boot\memtest.efi`
	}
	return []Object{
		s.bootManager(),
		s.loader(suffix),
		s.resume(suffix),
		{MemoryTest, TypeMemoryTest, []Element{
			device(ApplicationDevice, s.Boot),
			text(ApplicationPath, test),
			text(Description, "Windows Memory Diagnostic"),
			text(Locale, s.Locale),
			guids(Inherit, GlobalSettings),
			truth(BadMemoryAllowed, true),
		}},
		{GlobalSettings, TypeSettings, []Element{guids(Inherit, DebuggerSettings, EMSSettings, BadMemory)}},
		{LoaderSettings, TypeLoaderSettings, []Element{guids(Inherit, GlobalSettings, HypervisorSettings)}},
		{ResumeSettings, TypeResumeSettings, []Element{guids(Inherit, GlobalSettings)}},
		{HypervisorSettings, TypeLoaderSettings, []Element{
			numbers(HypervisorDebugger, 0), numbers(HypervisorPort, 1), numbers(HypervisorBaudRate, 115200),
		}},
		{DebuggerSettings, TypeSettings, []Element{numbers(DebuggerType, 4)}},
		{EMSSettings, TypeSettings, []Element{truth(EMSEnabled, false)}},
		{BadMemory, TypeSettings, nil},
	}
}

func (s Store) bootManager() Object {
	elements := []Element{device(ApplicationDevice, s.Boot)}
	if s.Firmware == UEFI {
		elements = append(elements, text(ApplicationPath, `\EFI\Microsoft\Boot\bootmgfw.efi`))
	}
	return Object{BootManager, TypeBootManager, append(elements,
		text(Description, "Windows Boot Manager"),
		text(Locale, s.Locale),
		guids(Inherit, GlobalSettings),
		guid(BootManagerDefault, s.Loader),
		guid(BootManagerResume, s.Resume),
		guids(BootManagerOrder, s.Loader),
		guids(BootManagerTools, MemoryTest),
		numbers(BootManagerTimeout, s.Timeout),
	)}
}

func (s Store) loader(suffix string) Object {
	elements := []Element{
		device(ApplicationDevice, s.Windows),
		text(ApplicationPath, `\Windows\system32\winload`+suffix),
		text(Description, s.Description),
		text(Locale, s.Locale),
		guids(Inherit, LoaderSettings),
		truth(RecoveryEnabled, false), // the recovery environment would be the host PC's
	}
	if s.Firmware == UEFI {
		elements = append(elements, truth(IsolatedContext, true))
	}
	return Object{s.Loader, TypeLoader, append(elements,
		numbers(AllowedSettings, allowedUnderSecure),
		device(SystemDevice, s.Windows),
		text(SystemRoot, `\Windows`),
		guid(LoaderResume, s.Resume),
		numbers(LoaderNX, 0),
		numbers(LoaderMenuPolicy, 1),
	)}
}

func (s Store) resume(suffix string) Object {
	elements := []Element{
		device(ApplicationDevice, s.Windows),
		text(ApplicationPath, `\Windows\system32\winresume`+suffix),
		text(Description, "Windows Resume Application"),
		text(Locale, s.Locale),
		guids(Inherit, ResumeSettings),
	}
	if s.Firmware == UEFI {
		elements = append(elements, truth(IsolatedContext, true))
	}
	return Object{s.Resume, TypeResume, append(elements,
		numbers(AllowedSettings, allowedUnderSecure),
		device(SystemDevice, s.Windows),
		text(SystemRoot, `\hiberfil.sys`),
		numbers(ResumeDebugOption, 1),
	)}
}
