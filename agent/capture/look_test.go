package capture

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// place copies a volume into a disk.
func place(t testing.TB, disk, volume string, at int64) {
	t.Helper()
	run(t, "dd", "if="+volume, "of="+disk, "bs=1M", "conv=notrunc,sparse", "oflag=seek_bytes", "seek="+strconv.FormatInt(at, 10), "status=none")
}

// dual is the layout of a stick: a boot partition and a Windows.
const dual = "label: dos\nsize=8M,type=c,bootable\nsize=96M,type=7\n"

func TestRefused(t *testing.T) {
	t.Parallel()
	allowed := func(o Options) Options { o.AnyState = true; return o }
	as := func(o Options) Options { return o }
	for _, c := range []struct {
		name, state string
		make        func(t *testing.T, volume string)
		options     func(Options) Options
		code        string // empty: it may be captured
		params      map[string]string
	}{
		{name: "generalized", state: stateGeneralized, options: as},
		{
			name: "bitlocker", state: stateGeneralized, options: allowed, code: protocol.FaultCaptureBitLocker,
			make: func(t *testing.T, volume string) { patch(t, volume, 3, []byte("-FVE-FS-")...) },
		},
		{
			name: "bitlocker to go", state: stateGeneralized, options: allowed, code: protocol.FaultCaptureBitLocker,
			make: func(t *testing.T, volume string) {
				patch(t, volume, 3, []byte("MSWIN4.1")...)
				patch(t, volume, 424, bitLockerIDs[0]...)
			},
		},
		{
			name: "to be checked", state: stateGeneralized, options: allowed, code: protocol.FaultCaptureDirty,
			make: func(t *testing.T, volume string) { run(t, "ntfsfix", volume) },
		},
		{
			name: "asleep", state: stateGeneralized, options: allowed, code: protocol.FaultCaptureHibernated,
			make: func(t *testing.T, volume string) {
				put(t, volume, "hiberfil.sys", append([]byte("hibr"), make([]byte, 8192)...))
			},
		},
		{
			name: "bound to its PC", state: "IMAGE_STATE_COMPLETE", options: as, code: protocol.FaultCaptureNotGeneralized,
			params: map[string]string{"state": "IMAGE_STATE_COMPLETE"},
		},
		{name: "bound to its PC, allowed", state: "IMAGE_STATE_COMPLETE", options: allowed},
		{name: "audit", state: "IMAGE_STATE_GENERALIZE_RESEAL_TO_AUDIT", options: as, code: protocol.FaultCaptureNotGeneralized},
		{name: "half done", state: stateUndeployable, options: allowed, code: protocol.FaultCaptureUndeployable},
		{
			name: "hive left open", state: stateGeneralized, options: allowed, code: protocol.FaultHiveDirty,
			params: map[string]string{"hive": systemHive},
			make: func(t *testing.T, volume string) {
				raw := []byte(run(t, "ntfscat", volume, systemHive))
				raw[4] ^= 1 // the first sequence number, and the checksum over it
				raw[508] ^= 1
				put(t, volume, systemHive, raw)
			},
		},
		{
			name: "no hive", state: stateGeneralized, options: allowed, code: protocol.FaultCaptureCorrupt,
			make: func(t *testing.T, volume string) { put(t, volume, softwareHive, []byte("regf, not really")) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			volume := newVolume(t, c.state, 18432)
			if c.make != nil {
				c.make(t, volume)
			}
			disk := newDisk(t, 128<<20, 512, dual)
			place(t, disk, volume, starts(t, disk)[1])
			for _, s := range []struct {
				path, partition string
			}{{volume, "0"}, {disk, "2"}} {
				v, err := Look(source(t, s.path), c.options(options(t)))
				if c.code == "" {
					if err != nil || strconv.Itoa(v.Partition) != s.partition || v.Windows.ImageState != c.state {
						t.Errorf("%v, %+v", err, v)
					}
					continue
				}
				params := wantFault(t, err, c.code)
				if p, ok := params["partition"]; ok && p != s.partition {
					t.Errorf("%v, want partition %s", params, s.partition)
				}
				for name, want := range c.params {
					if params[name] != want {
						t.Errorf("%v, want %s %s", params, name, want)
					}
				}
			}
		})
	}
}

func TestNoWindows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	zeros := filepath.Join(dir, "zeros")
	check(t, os.WriteFile(zeros, make([]byte, 1<<20), 0o600))
	empty := filepath.Join(dir, "empty.ntfs")
	check(t, os.WriteFile(empty, nil, 0o600))
	check(t, os.Truncate(empty, 16<<20))
	format(t, empty, 0)
	for _, path := range []string{
		zeros, empty, newDisk(t, 16<<20, 512, "label: dos\n"), newDisk(t, 128<<20, 512, dual), // partitions without anything
	} {
		_, err := Look(source(t, path), options(t))
		wantFault(t, err, protocol.FaultCaptureNoWindows)
	}
	if _, err := Look(source(t, os.DevNull), options(t)); err == nil {
		t.Error("nothing at all")
	}
}

// Of two, one has to be named.
func TestSeveral(t *testing.T) {
	t.Parallel()
	volume := newVolume(t, stateGeneralized, 2048)
	disk := newDisk(t, 256<<20, 512, "label: gpt\nsize=96M\nsize=1M\nsize=96M\n")
	at := starts(t, disk)
	place(t, disk, volume, at[0])
	place(t, disk, volume, at[2])
	_, err := Look(source(t, disk), options(t))
	if params := wantFault(t, err, protocol.FaultCaptureSeveral); params["partitions"] != "1, 3" {
		t.Errorf("%v", params)
	}
	chosen := options(t)
	chosen.Partition = 3
	if v, err := Look(source(t, disk), chosen); err != nil || v.Partition != 3 {
		t.Errorf("%v, %+v", err, v)
	}
	chosen.Partition = 2
	_, err = Look(source(t, disk), chosen)
	wantFault(t, err, protocol.FaultCaptureNoWindows)
}

// A volume that is longer than its partition was cut off.
func TestCutOff(t *testing.T) {
	t.Parallel()
	volume := newVolume(t, stateGeneralized, 2048)
	disk := newDisk(t, 128<<20, 512, "label: dos\nstart=2048,size=96M,type=7\n")
	place(t, disk, volume, 1<<20)
	var sectors [4]byte
	binary.LittleEndian.PutUint32(sectors[:], 95<<11)
	patch(t, disk, 446+12, sectors[:]...)
	_, err := Look(source(t, disk), options(t))
	wantFault(t, err, protocol.FaultCaptureCorrupt)
}
