package wim

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
)

// dismSays is a DISM that prints a text and ends with a status.
func dismSays(text string, status int) DISM {
	return DISM{Dir: `C:\tmp`, Run: func(_ context.Context, c tool.Command) error {
		if c.Stdout != nil {
			if _, err := io.WriteString(c.Stdout, text); err != nil {
				return err
			}
		}
		if status != 0 {
			return &tool.ExitError{Tool: c.Name, Status: status, Output: text}
		}
		return nil
	}}
}

func TestDISMList(t *testing.T) {
	t.Parallel()
	const text = "\r\nDeployment Image Servicing and Management tool\r\nVersion: 10.0.26100.1150\r\n\r\n\\\r\n" +
		"\\Windows\r\n\\Windows\\System32\\\r\n\\Windows\\System32\\winload.efi\r\nThe operation completed successfully.\r\n"
	paths, err := dismSays(text, 0).List(t.Context(), Source{Path: `C:\a.wim`, Edition: 1})
	if want := []string{"/Windows", "/Windows/System32", "/Windows/System32/winload.efi"}; err != nil || !slices.Equal(paths, want) {
		t.Errorf("%q, %v", paths, err)
	}
}

func TestDISMProgress(t *testing.T) {
	t.Parallel()
	const text = "\r\nApplying image\r\n[                           0.5%                          ] \r" +
		"[====                       8.0%                          ] \r[==========================100.0%==========================] \r\n" +
		"[999.9%]\r\nThe operation completed successfully.\r\n"
	var got []int64
	err := dismSays(text, 0).ApplyTo(t.Context(), Source{Path: `C:\a.wim`, Edition: 1}, `C:\m`, 2_000_000,
		func(done, total int64) { got = append(got, done, total) })
	if want := []int64{10_000, 2_000_000, 160_000, 2_000_000, 2_000_000, 2_000_000}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%d, %v", got, err)
	}
}

func TestDISMFails(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{
		87: protocol.FaultTool, 13: protocol.FaultImageCorrupt, 0x8007000b: protocol.FaultImageCorrupt, 1392: protocol.FaultImageCorrupt,
		112: protocol.FaultTool, 0x80070070: protocol.FaultTool,
	} {
		err := dismSays("Error: it", status).ApplyTo(t.Context(), Source{}, `C:\m`, 1, func(int64, int64) {})
		if f := protocol.AsFault(err); f.Code != code {
			t.Errorf("%#x: %v", status, err)
		}
		if full := status&0xffff == 112; errors.Is(err, syscall.ENOSPC) != full {
			t.Errorf("%#x: a full disk: %v", status, !full)
		}
	}
}

func TestDISMBytes(t *testing.T) {
	t.Parallel()
	garbage := filepath.Join(t.TempDir(), "garbage.wim")
	if err := os.WriteFile(garbage, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (DISM{}).Bytes(t.Context(), Source{Path: garbage, Edition: 1}); protocol.AsFault(err).Code != protocol.FaultImageCorrupt {
		t.Errorf("garbage: %v", err)
	}
	if _, err := (DISM{}).Bytes(t.Context(), Source{Path: garbage + "?", Edition: 1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
