package stick

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/vdisk"
	"github.com/stickpress/stickpress/agent/wim"
)

// On Windows the programs that come with it make a master: diskpart a virtual
// disk with the partitions of the plan, DISM puts the image onto it, bcdboot
// the boot files. This file says with which words, and does nothing; it is the
// same on every system, so that its words can be tested. virtual.go carries it
// out.

// The programs of Windows.
var (
	diskpart = tool.Command{Name: "diskpart.exe", Package: "Windows 10"}
	bcdboot  = tool.Command{Name: "bcdboot.exe", Package: "Windows 10"}
	icacls   = tool.Command{Name: "icacls.exe", Package: "Windows 10"}
)

// vdiskFile is the virtual disk of a master.
const vdiskFile = "master.vhdx"

// virtualDisk is where a master's disk is on a Windows host while it is made.
// Paths are those of Windows.
type virtualDisk struct {
	plan  *Plan
	image wim.Source
	file  string // the virtual disk
	mount string // an empty folder at which the Windows volume appears
	tmp   string // a folder for scripts and logs
	// letter is the system volume's, "S:": bcdboot takes nothing else (Microsoft,
	// "BCDBoot Command-Line Options", /s).
	letter string
}

// check refuses what the programs cannot be told.
func (v *virtualDisk) check() error {
	for _, path := range []string{v.file, v.mount, v.tmp} {
		// A script is read in the machine's code page; nothing in it quotes a quote.
		if i := strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r > '~' || r == '"' }); i >= 0 {
			return fmt.Errorf("diskpart cannot be told of %q: put the agent's data into a folder with a plain name", path)
		}
	}
	return nil
}

// behind is how much longer than the plan the virtual disk is: a backup table
// has room.
const behind = 8 * mib

// ours reports whether the agent makes the empty virtual disk: diskpart makes
// them with 512-byte sectors alone.
func (v *virtualDisk) ours() bool { return v.plan.SectorSize != 512 }

// makeOurs makes it.
func (v *virtualDisk) makeOurs() error {
	id, err := bcd.NewGUID(rand.Reader)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(v.file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	w, err := vdisk.NewWriter(f, v.plan.Class+behind, v.plan.SectorSize, id)
	if err == nil {
		err = w.Finish()
	}
	return errors.Join(err, f.Close())
}

// create is diskpart's script that makes the disk and its volumes. Sizes are in
// MiB and offsets in KiB (Microsoft, "create partition primary"); all of a
// plan's are whole MiB.
func (v *virtualDisk) create() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	if !v.ours() {
		line(`create vdisk file="%s" maximum=%d type=expandable`, v.file, (v.plan.Class+behind)/mib)
	}
	line(`select vdisk file="%s"`, v.file)
	line("attach vdisk")
	line("online disk noerr") // a server may keep new disks offline
	gpt := v.plan.Layout == protocol.LayoutGPTUEFI
	if gpt {
		line("convert gpt")
		// It makes a reserved partition of its own, at a place of its own.
		line("select partition 1 noerr")
		line("delete partition override noerr")
	} else {
		line("convert mbr")
	}
	for _, p := range v.plan.Partitions {
		place := fmt.Sprintf("offset=%d size=%d", p.Offset/kib, p.Length/mib)
		switch p.Role {
		case RoleSystem:
			if gpt {
				line("create partition efi %s", place)
			} else {
				line("create partition primary %s", place)
			}
			line(`format fs=fat32 label="%s" quick`, SystemLabel(""))
			if !gpt {
				line("active")
			}
			line("assign letter=%s", strings.TrimSuffix(v.letter, ":"))
		case RoleReserved:
			line("create partition msr %s", place)
		case RoleWindows:
			line("create partition primary %s", place)
			line(`format fs=ntfs label="%s" unit=%d quick`, WindowsLabel(""), ntfsCluster)
			line(`assign mount="%s"`, v.mount)
		}
	}
	return b.String()
}

// detach is diskpart's script that takes the disk away from Windows, which
// writes everything down. It also undoes half of create.
func (v *virtualDisk) detach() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line(`select vdisk file="%s"`, v.file)
	line("select partition %d noerr", len(v.plan.Partitions))
	line(`remove mount="%s" noerr`, v.mount)
	line("detach vdisk")
	return b.String()
}

// script is diskpart with a script, which lies in the file.
func (v *virtualDisk) script(file string) tool.Command {
	c := diskpart
	c.Args = []string{"/s", v.tmp + `\` + file}
	return c
}

// boot is bcdboot, which copies the boot files of the image and makes stores;
// ours take their place.
func (v *virtualDisk) boot() tool.Command {
	firmware := "UEFI"
	for _, f := range v.plan.firmwares() {
		if f == bcd.BIOS {
			firmware = "ALL"
		}
	}
	c := bcdboot
	c.Args = []string{v.mount + `\Windows`, "/s", v.letter, "/f", firmware}
	return c
}

// protect is icacls, which closes a file or folder to all but SYSTEM
// (S-1-5-18) and Administrators (S-1-5-32-544), whatever they are called here.
func (v *virtualDisk) protect(path string, folder bool) tool.Command {
	inherit := ""
	if folder {
		inherit = "(OI)(CI)"
	}
	c := icacls
	c.Args = []string{path, "/inheritance:r", "/grant:r", "*S-1-5-18:" + inherit + "F", "*S-1-5-32-544:" + inherit + "F"}
	return c
}

// dism is the image tool.
func (v *virtualDisk) dism() wim.DISM { return wim.DISM{Dir: v.tmp} }

// Scripts of diskpart.
const (
	createScript = "create.txt"
	detachScript = "detach.txt"
)

// ownStore is a folder of the system volume that bcdboot of Windows 11 25H2
// misses instead of making it.
const ownStore = `EFI\Microsoft\Boot`

// told is one thing that a program is told, or that is done between.
type told struct {
	command tool.Command
	script  string // what a script in the arguments says
	between string // instead of a command: what the agent does itself
}

// words are all that the programs are told, in order. made says that the image
// has no folder Panther.
func (v *virtualDisk) words(made bool) []told {
	panther := v.mount + strings.ReplaceAll(pantherDir, "/", `\`)
	answer := v.mount + strings.ReplaceAll(answerPath, "/", `\`)
	list := []told{{command: v.dism().ListCommand(v.image)}}
	if v.ours() {
		list = append(list, told{between: fmt.Sprintf("make an empty virtual disk with sectors of %d bytes", v.plan.SectorSize)})
	}
	list = append(list, []told{
		{command: v.script(createScript), script: v.create()},
		{command: v.dism().ApplyCommand(v.image, v.mount)},
		{between: "edit " + systemHive + "; remove every other answer file; lay out " + answerPath},
		{command: v.protect(answer, false)},
	}...)
	if made {
		list = append(list, told{command: v.protect(panther, true)})
	}
	return append(list,
		told{between: "make " + v.letter + `\` + ownStore},
		told{command: v.boot()},
		told{between: "lay out the boot files of the task sequence's signature and our own boot stores"},
		told{command: v.script(detachScript), script: v.detach()},
		told{between: "find the used extents of both volumes, hash them"},
	)
}

// text writes words down, for a person.
func (v *virtualDisk) text(made bool) string {
	var b strings.Builder
	for _, t := range v.words(made) {
		if t.between != "" {
			fmt.Fprintf(&b, "# %s\n", t.between)
			continue
		}
		fmt.Fprintf(&b, "%s %s\n", t.command.Name, strings.Join(quoted(t.command.Args), " "))
		for line := range strings.Lines(t.script) {
			fmt.Fprintf(&b, "    %s\n", strings.TrimRight(line, "\r\n"))
		}
	}
	return b.String()
}

func quoted(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; strings.Contains(a, " ") {
			out[i] = `"` + a + `"`
		}
	}
	return out
}
