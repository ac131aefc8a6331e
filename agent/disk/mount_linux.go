package disk

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mount is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	num    number // of the filesystem; major 0 means that it has no one disk
	point  string
	fstype string
	source string
}

// system is what the running machine uses its disks for, read once per look.
type system struct {
	l       *Lister
	mounts  []mount
	fstab   map[string]bool // mount points that an administrator configured
	swaps   map[number]bool // every disk beneath a swap area
	running map[number]bool // every disk beneath the running system
	data    map[number]bool // every disk beneath our data

	swapFiles map[string]bool
	backing   map[string]string // loop device → what is beneath it
}

// systemPoints are the mount points without which the machine does not run or
// does not start again.
var systemPoints = []string{"/", "/boot", "/boot/efi", "/boot/firmware", "/efi", "/usr", "/etc", "/var", "/nix", "/sysroot"}

// look reads mounts, swap areas and the chains of disks beneath them.
func (l *Lister) look() (*system, error) {
	s := &system{
		l: l, swaps: map[number]bool{}, running: map[number]bool{}, data: map[number]bool{},
		swapFiles: map[string]bool{}, backing: map[string]string{},
	}
	var err error
	if s.mounts, err = l.readMounts(); err != nil {
		return nil, err
	}
	s.fstab = l.readFstab()
	s.readLoops()
	if err := s.readSwaps(); err != nil {
		return nil, err
	}
	for _, m := range s.mounts {
		if slices.Contains(systemPoints, m.point) {
			s.addMount(s.running, m)
		}
	}
	dirs := l.DataDirs
	if l.VirtualDir != "" {
		dirs = append(slices.Clip(dirs), l.VirtualDir)
	}
	for _, dir := range dirs {
		s.addPath(s.data, dir)
	}
	return s, nil
}

func (l *Lister) readMounts() ([]mount, error) {
	f, err := os.Open(filepath.Join(l.proc(), "self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	defer f.Close()
	var out []mount
	for sc := bufio.NewScanner(f); ; {
		if !sc.Scan() {
			if err := sc.Err(); err != nil {
				return nil, fmt.Errorf("read mounts: %w", err)
			}
			return out, nil
		}
		// id parent major:minor root point options [optional…] - type source superoptions
		before, after, ok := strings.Cut(sc.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 2 {
			return nil, fmt.Errorf("read mounts: unknown line %q", sc.Text())
		}
		num, err := parseNumber(left[2])
		if err != nil {
			return nil, fmt.Errorf("read mounts: %w", err)
		}
		out = append(out, mount{num: num, point: unescape(left[4]), fstype: right[0], source: unescape(right[1])})
	}
}

// unescape undoes the octal escapes of mountinfo, swaps and fstab.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\043`, "#", `\134`, `\`).Replace(s)
}

func (l *Lister) readFstab() map[string]bool {
	points := map[string]bool{}
	text, _ := os.ReadFile(filepath.Join(l.etc(), "fstab")) // none is fine
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && !strings.HasPrefix(f[0], "#") {
			points[filepath.Clean(unescape(f[1]))] = true
		}
	}
	return points
}

// readSwaps reads /proc/swaps: a swap area is a disk or a file.
func (s *system) readSwaps() error {
	text, err := os.ReadFile(filepath.Join(s.l.proc(), "swaps"))
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("read swap areas: %w", err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if i == 0 || len(f) < 2 {
			continue // headline
		}
		// A removed disk stays listed with " (deleted)"; it resolves to nothing.
		switch path := unescape(f[0]); f[1] {
		case "file":
			s.swapFiles[path] = true
			s.addPath(s.swaps, path)
		default:
			if n, ok := s.l.resolve(path); ok {
				s.addChain(s.swaps, n)
			}
		}
	}
	return nil
}

// readLoops notes what loop devices stand on.
func (s *system) readLoops() {
	loops, _ := filepath.Glob(filepath.Join(s.l.sysfs(), "block/loop*/loop/backing_file"))
	for _, path := range loops {
		dir, name := filepath.Split(path)
		s.backing[filepath.Base(filepath.Dir(filepath.Dir(path)))] = readText(dir, name)
	}
}

// backingDisk finds the disk beneath a loop device that stands on a disk
// instead of a file. The kernel does not count such a loop device among the
// disk's holders, nor does it claim the disk.
func (s *system) backingDisk(file string) (number, bool) {
	if !strings.HasPrefix(file, "/dev/") {
		return number{}, false
	}
	return s.l.resolve(file)
}

// mountNumbers lists the disks that a mount stands on: by its device number, and
// by its source where the filesystem has an anonymous number (btrfs).
func (s *system) mountNumbers(m mount) []number {
	var out []number
	if m.num.major != 0 {
		out = append(out, m.num)
	}
	if strings.HasPrefix(m.source, "/dev/") {
		if n, ok := s.l.resolve(m.source); ok && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func (s *system) addMount(set map[number]bool, m mount) {
	for _, n := range s.mountNumbers(m) {
		s.addChain(set, n)
	}
}

// addPath adds the disks beneath a file or folder, which need not exist yet:
// those of the last mounted filesystem whose mount point is above it.
func (s *system) addPath(set map[number]bool, path string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			path = filepath.Join(real, strings.TrimPrefix(path, dir))
			break
		}
		if dir == "/" {
			break
		}
	}
	var best *mount
	for i := range s.mounts {
		m := &s.mounts[i]
		if under(path, m.point) && (best == nil || len(m.point) >= len(best.point)) {
			best = m // a later mount hides an earlier one at the same point
		}
	}
	if best != nil {
		s.addMount(set, *best)
	}
}

func under(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}

// addChain adds a device and everything beneath it: the disk of a partition,
// the members of an array, a volume group or an encrypted volume, the disk
// that holds a loop device's file.
func (s *system) addChain(set map[number]bool, n number) {
	if set[n] {
		return
	}
	set[n] = true
	sys, err := filepath.EvalSymlinks(filepath.Join(s.l.sysfs(), "dev/block", n.String()))
	if err != nil {
		return
	}
	if exists(sys, "partition") {
		if disk, err := parseNumber(readText(filepath.Dir(sys), "dev")); err == nil {
			s.addChain(set, disk)
		}
	}
	if file := readText(sys, "loop/backing_file"); file != "" {
		if disk, ok := s.backingDisk(file); ok {
			s.addChain(set, disk)
		} else {
			s.addPath(set, file)
		}
	}
	slaves, _ := os.ReadDir(filepath.Join(sys, "slaves"))
	for _, slave := range slaves {
		if below, err := parseNumber(readText(filepath.Join(sys, "slaves", slave.Name()), "dev")); err == nil {
			s.addChain(set, below)
		}
	}
}

// resolve finds the device number behind a path such as /dev/sda2 or
// /dev/mapper/root: by the node, else by its name in sysfs.
func (l *Lister) resolve(path string) (number, bool) {
	path = filepath.Join(l.dev(), strings.TrimPrefix(path, "/dev/"))
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK {
		return numberOf(st.Rdev), true
	}
	n, err := parseNumber(readText(filepath.Join(l.sysfs(), "class/block", filepath.Base(path)), "dev"))
	return n, err == nil
}
