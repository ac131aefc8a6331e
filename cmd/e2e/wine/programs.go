package wine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Call is what a stand-in was called with.
type Call struct {
	Program string
	Args    []string
	Script  string
}

// Programs does on this machine what diskpart, DISM, bcdboot and icacls would
// have done: the stand-ins in a Windows ask it. A virtual disk is a folder for
// each of its volumes until it is detached, and then a VHDX that mkfs.fat,
// mkntfs, wimlib and qemu-img make of them; one that is attached is read by
// qemu-img. So no byte of it is ours.
type Programs struct {
	windows *Windows
	tmp     string

	mu       sync.Mutex
	disk     *virtualDisk // being made
	attached string       // for reading
	errs     []error
}

// virtualDisk is a disk as diskpart was told to make it.
type virtualDisk struct {
	file, mount, letter string
	mib                 int64
	parts               []part
}

type part struct {
	format        string // "fat32", "ntfs"
	offset, bytes int64
	label         string
}

// NewPrograms makes the Programs of a Windows, to be served at an address that
// the stand-ins ask from now on. tmp is a folder for their work.
func NewPrograms(w *Windows, address, tmp string) (*Programs, error) {
	return &Programs{windows: w, tmp: tmp}, os.WriteFile(filepath.Join(w.System(), "ask.txt"), []byte(address), 0o600)
}

// Err is what went wrong on this side.
func (p *Programs) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// ServeHTTP implements http.Handler.
func (p *Programs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var c Call
	err := json.NewDecoder(r.Body).Decode(&c)
	var answer struct {
		Status int
		Output string
	}
	if err == nil {
		answer.Output, err = p.run(&c)
	}
	if err != nil {
		err = fmt.Errorf("%s %q %q: %w", c.Program, c.Args, c.Script, err)
		p.errs = append(p.errs, err)
		answer.Status, answer.Output = 1, err.Error()
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// here is how this machine names a file of the Windows.
func (p *Programs) here(path string) string {
	return filepath.Join(p.windows.Dir, "dosdevices", strings.ToLower(path[:2]), strings.ReplaceAll(path[2:], `\`, "/"))
}

func (p *Programs) run(c *Call) (string, error) {
	option := func(name string) string {
		for _, a := range c.Args {
			if v, ok := strings.CutPrefix(a, name); ok {
				return v
			}
		}
		return ""
	}
	switch {
	case c.Program == "diskpart":
		return "", p.diskpart(c.Script)
	case c.Program == "bcdboot":
		return "", p.bcdboot()
	case c.Program == "icacls":
		_, err := os.Stat(p.here(c.Args[0]))
		return "", err
	case slices.Contains(c.Args, "/List-Image"):
		list, err := tool("wimlib-imagex", "dir", p.here(option("/ImageFile:")), option("/Index:"))
		return "\r\nDeployment Image Servicing and Management tool\r\nVersion: 10.0.26100.1\r\n\r\n" +
			strings.ReplaceAll(strings.ReplaceAll(list, "/", `\`), "\n", "\r\n") + "The operation completed successfully.\r\n", err
	case slices.Contains(c.Args, "/Apply-Image"):
		_, err := tool("wimlib-imagex", "apply", p.here(option("/ImageFile:")), option("/Index:"), p.here(option("/ApplyDir:")))
		return "\r\n[======100.0%======] \r\nThe operation completed successfully.\r\n", err
	case slices.Contains(c.Args, "/Capture-Image"):
		return "\r\n[======100.0%======] \r\n", p.capture(option)
	}
	return "", errors.New("nobody knows this call")
}

var (
	scriptCreate    = regexp.MustCompile(`^create vdisk file="(.+)" maximum=(\d+) type=expandable$`)
	scriptSelect    = regexp.MustCompile(`^select vdisk file="(.+)"$`)
	scriptPartition = regexp.MustCompile(`^create partition (?:efi|primary|msr) offset=(\d+) size=(\d+)$`)
	scriptFormat    = regexp.MustCompile(`^format fs=(\w+) label="(.+?)"`)
	scriptLetter    = regexp.MustCompile(`^assign letter=(\w)$`)
	scriptMount     = regexp.MustCompile(`^assign mount="(.+)"$`)
)

func (p *Programs) diskpart(script string) error {
	lines := strings.Split(strings.TrimSuffix(script, "\r\n"), "\r\n")
	if m := scriptCreate.FindStringSubmatch(lines[0]); m != nil {
		return p.create(m[1], m[2], lines[1:])
	}
	m := scriptSelect.FindStringSubmatch(lines[0])
	switch {
	case m == nil:
		return errors.New("no disk is selected")
	case slices.Contains(lines, "attach vdisk readonly"):
		p.attached = p.here(m[1])
	case slices.Contains(lines, "detach vdisk") && p.disk != nil && p.disk.file == p.here(m[1]):
		return p.build()
	case slices.Contains(lines, "detach vdisk"):
		p.attached = ""
	}
	return nil
}

func (p *Programs) create(file, mib string, lines []string) error {
	d := &virtualDisk{file: p.here(file)}
	d.mib, _ = strconv.ParseInt(mib, 10, 64)
	for _, line := range lines {
		last := func() *part { return &d.parts[len(d.parts)-1] }
		if m := scriptPartition.FindStringSubmatch(line); m != nil {
			offset, _ := strconv.ParseInt(m[1], 10, 64)
			size, _ := strconv.ParseInt(m[2], 10, 64)
			d.parts = append(d.parts, part{offset: offset << 10, bytes: size << 20})
		} else if m := scriptFormat.FindStringSubmatch(line); m != nil {
			last().format, last().label = m[1], m[2]
		} else if m := scriptLetter.FindStringSubmatch(line); m != nil {
			d.letter = strings.ToLower(m[1]) + ":"
		} else if m := scriptMount.FindStringSubmatch(line); m != nil {
			d.mount = p.here(m[1])
		}
	}
	folder, err := os.MkdirTemp(p.tmp, "system-")
	if err != nil {
		return err
	}
	p.disk = d
	return errors.Join(os.Symlink(folder, filepath.Join(p.windows.Dir, "dosdevices", d.letter)), os.WriteFile(d.file, nil, 0o600))
}

// bcdboot leaves what the agent's own files must win over.
func (p *Programs) bcdboot() error {
	root := filepath.Join(p.windows.Dir, "dosdevices", p.disk.letter)
	var errs []error
	for name, text := range map[string]string{
		"EFI/Microsoft/Boot/BCD": "bcdboot's store", "EFI/Microsoft/Boot/BCD.LOG": "its log", "Boot/BCD": "bcdboot's store", "bootmgr": "the host's",
	} {
		path := filepath.Join(root, name)
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600))
	}
	return errors.Join(errs...)
}

// build makes the VHDX of what the volumes hold.
func (p *Programs) build() error {
	d := p.disk
	p.disk = nil
	dir, err := os.MkdirTemp(p.tmp, "disk-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	link := filepath.Join(p.windows.Dir, "dosdevices", d.letter)
	raw, image := filepath.Join(dir, "raw"), filepath.Join(dir, "tree.wim")
	if err := errors.Join(os.WriteFile(raw, nil, 0o600), os.Truncate(raw, d.mib<<20)); err != nil {
		return err
	}
	for _, v := range d.parts {
		file, start := filepath.Join(dir, v.format), strconv.FormatInt(v.offset/512, 10)
		if v.format == "" {
			continue
		}
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, v.bytes)); err != nil {
			return err
		}
		var commands [][]string
		if v.format == "fat32" {
			commands = [][]string{
				{"mkfs.fat", "-F", "32", "-n", v.label, "-h", start, file},
				{"sh", "-ec", `cd "$1" && MTOOLS_SKIP_CHECK=1 && export MTOOLS_SKIP_CHECK && find . -mindepth 1 -maxdepth 1 -exec mcopy -s -i "$2" {} :: \;`, "sh", link, file},
			}
		} else {
			commands = [][]string{
				{"mkntfs", "-F", "-Q", "-q", "-L", v.label, "-s", "512", "-c", "4096", "-p", start, "-H", "255", "-S", "63", file},
				{"wimlib-imagex", "capture", d.mount, image, "tree", "--compress=none"},
				{"wimlib-imagex", "apply", image, "1", file},
			}
		}
		for _, c := range commands {
			if _, err := tool(c...); err != nil {
				return err
			}
		}
		if err := CopySparse(raw, v.offset, file, 0, v.bytes); err != nil {
			return err
		}
	}
	_, err = tool("qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", "subformat=dynamic", raw, d.file)
	return errors.Join(err, os.Remove(link), os.RemoveAll(d.mount), os.Mkdir(d.mount, 0o700))
}

// capture makes an image of the only volume of the attached disk.
func (p *Programs) capture(option func(string) string) error {
	dir, err := os.MkdirTemp(p.tmp, "attached-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	raw, volume := filepath.Join(dir, "raw"), filepath.Join(dir, "volume")
	if p.attached == "" {
		return errors.New("no disk is attached")
	}
	for _, c := range [][]string{
		{"qemu-img", "convert", "-f", "vhdx", "-O", "raw", p.attached, raw},
		{"sgdisk", "--verify", raw},
	} {
		if _, err := tool(c...); err != nil {
			return err
		}
	}
	info, err := os.Stat(raw)
	if err == nil {
		err = CopySparse(volume, 0, raw, 1<<20, info.Size()-1<<20)
	}
	if err != nil {
		return err
	}
	_, err = tool("wimlib-imagex", "capture", "--config="+p.here(option("/ConfigFile:")), volume, p.here(option("/ImageFile:")), option("/Name:"), option("/Description:"))
	return err
}

// CopySparse copies n bytes of a file into another, but for holes; what is
// behind the last of them is a hole, too.
func CopySparse(to string, toAt int64, from string, fromAt, n int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if info, err := out.Stat(); err != nil || info.Size() < toAt+n {
		if err := errors.Join(err, out.Truncate(toAt+n)); err != nil {
			return err
		}
	}
	for at, end := fromAt, fromAt+n; at < end; {
		data, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && data >= end {
			return nil
		}
		hole, err2 := unix.Seek(int(in.Fd()), data, unix.SEEK_HOLE)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		at = min(hole, end)
		if _, err := io.Copy(io.NewOffsetWriter(out, toAt+data-fromAt), io.NewSectionReader(in, data, at-data)); err != nil {
			return err
		}
	}
	return nil
}

// tool runs a program of this machine.
func tool(args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // it ends by itself
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", cmd, err, out, stderr.Bytes())
	}
	return string(out), nil
}
