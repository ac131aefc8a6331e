package sample

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
)

// tools make the image; the names of their Debian packages beside them.
var tools = []tool.Command{
	{Name: "wimlib-imagex", Package: "wimtools"},
	{Name: "mkntfs", Package: "ntfs-3g"},
	{Name: "ntfscp", Package: "ntfs-3g"},
}

// checkTools says in words what is to be installed.
func checkTools() error {
	var f *protocol.Fault
	if err := tool.Look(tools...); errors.As(err, &f) {
		return fmt.Errorf("%s is not installed: install the package %s", f.Params["tool"], f.Params["package"])
	}
	return nil
}

// build makes the WIM below work and returns its path.
//
// The tree goes through an NTFS volume in a file, because streams and security
// descriptors exist only there: directory -> plain WIM -> volume -> final WIM.
func build(ctx context.Context, work string, o Options) (string, error) {
	files, err := plan(ctx, o)
	if err != nil {
		return "", err
	}
	tree := filepath.Join(work, "tree")
	if err := files.write(tree); err != nil {
		return "", err
	}
	volume, err := toVolume(ctx, work, tree, files)
	if err != nil {
		return "", err
	}
	if err := addStream(ctx, work, volume); err != nil {
		return "", err
	}

	wim := filepath.Join(work, "sample.wim")
	for i, e := range Editions {
		command := "append"
		if i == 0 {
			command = "capture"
		} else if err := turnInto(ctx, work, volume, e, o.ImageState); err != nil {
			return "", err
		}
		args := []string{command, volume, wim, e.Name, e.Name, "--flags=" + e.ID}
		if i == 0 {
			args = append(args, "--compress=LZX")
		}
		if err := run(ctx, "wimlib-imagex", append(args, properties(e)...)...); err != nil {
			return "", err
		}
	}
	return wim, nil
}

// toVolume makes an NTFS volume with the tree's content.
func toVolume(ctx context.Context, work, tree string, files content) (string, error) {
	size := int64(64 << 20) // metadata and room for the rounding to clusters
	for _, data := range files {
		size += int64(len(data)) + 8192
	}
	volume := filepath.Join(work, "volume.img")
	if err := os.WriteFile(volume, nil, 0o600); err != nil {
		return "", err
	}
	if err := os.Truncate(volume, size&^0xfffff); err != nil {
		return "", err
	}
	if err := run(ctx, "mkntfs", "--quiet", "--fast", "--force", "--label", "Sample",
		"--partition-start", "2048", "--heads", "255", "--sectors-per-track", "63", volume); err != nil {
		return "", err
	}
	plain := filepath.Join(work, "plain.wim")
	if err := run(ctx, "wimlib-imagex", "capture", tree, plain, "--compress=none"); err != nil {
		return "", err
	}
	if err := run(ctx, "wimlib-imagex", "apply", plain, "1", volume); err != nil {
		return "", err
	}
	return volume, os.Remove(plain)
}

// StreamFile and StreamName name the alternate data stream in the image, and
// StreamContent is what it holds: a browser's mark on a downloaded file.
const (
	StreamFile    = "Windows/System32/drivers/etc/hosts"
	StreamName    = "Zone.Identifier"
	StreamContent = "[ZoneTransfer]\r\nZoneId=3\r\n"
)

func addStream(ctx context.Context, work, volume string) error {
	source := filepath.Join(work, "stream")
	if err := os.WriteFile(source, []byte(StreamContent), 0o600); err != nil {
		return err
	}
	return run(ctx, "ntfscp", "-f", "-q", "-N", StreamName, volume, source, StreamFile)
}

// turnInto changes what one edition has different from another.
func turnInto(ctx context.Context, work, volume string, e Edition, imageState string) error {
	files, err := hives(e, imageState)
	if err != nil {
		return err
	}
	const software = "Windows/System32/config/SOFTWARE"
	source := filepath.Join(work, "SOFTWARE")
	if err := os.WriteFile(source, files[software], 0o600); err != nil {
		return err
	}
	return run(ctx, "ntfscp", "-f", "-q", volume, source, software)
}

// properties describe an edition in the WIM's XML, as Microsoft's images do.
func properties(e Edition) []string {
	var args []string
	for _, p := range [][2]string{
		{"DISPLAYNAME", e.Name},
		{"DISPLAYDESCRIPTION", e.Name},
		{"WINDOWS/ARCH", "9"}, // PROCESSOR_ARCHITECTURE_AMD64
		{"WINDOWS/PRODUCTNAME", "Microsoft® Windows® Operating System"},
		{"WINDOWS/EDITIONID", e.ID},
		{"WINDOWS/INSTALLATIONTYPE", "Client"},
		{"WINDOWS/SERVICINGDATA/GDRDUREVISION", "0"},
		{"WINDOWS/PRODUCTTYPE", "WinNT"},
		{"WINDOWS/PRODUCTSUITE", "Terminal Server"},
		{"WINDOWS/LANGUAGES/LANGUAGE", Language},
		{"WINDOWS/LANGUAGES/DEFAULT", Language},
		{"WINDOWS/VERSION/MAJOR", "10"},
		{"WINDOWS/VERSION/MINOR", "0"},
		{"WINDOWS/VERSION/BUILD", fmt.Sprint(Build)},
		{"WINDOWS/VERSION/SPBUILD", "1742"},
		{"WINDOWS/VERSION/SPLEVEL", "0"},
		{"WINDOWS/SYSTEMROOT", "WINDOWS"},
	} {
		args = append(args, "--image-property="+p[0]+"="+p[1])
	}
	return args
}

// run runs a tool; its error carries what the tool said.
func run(ctx context.Context, name string, args ...string) error {
	err := tool.Command{Name: name, Args: args}.Run(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}
