package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/web/locale"
)

func imageAddCommand(x *remote) *cobra.Command {
	var in api.PublishVersionInput
	add := &cobra.Command{
		Use:   "add FILE",
		Short: "Uploads an image and publishes it as a version",
		Long: `Uploads an image and publishes it as a version: a WIM or ESD, of whose editions
sticks are pressed, or a disk image, which is written as it is: an ISO, a VHD or
VHDX, or a raw disk, the last one also as .zst, .xz or .gz.

The upload goes on by itself when the connection breaks, and from where it was
when the command is given again. A file that is not a readable image, or in which
something is damaged, is refused with the reason (exit code 4), and leaves nothing
behind. A number that is no SemVer (exit code 4), or that the image has already
(exit code 6), is refused before anything is sent.`,
		Example: `  stickpress image add install.wim --image win11-ent --version 1.4.0 --commit "$SHA" --channel testing`,
		Args:    cobra.ExactArgs(1),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if in.Image == "" {
				base := filepath.Base(args[0])
				in.Image = strings.ToLower(strings.TrimSuffix(base, filepath.Ext(base)))
			}
			file, f, err := openImage(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			if err := checkNumber(cmd.Context(), c, &in); err != nil {
				return err
			}
			up, err := x.upload(cmd, c, file, f)
			if err != nil {
				return err
			}
			in.UploadID = up.ID
			v, err := c.PublishVersion(cmd.Context(), in)
			if err != nil {
				return err
			}
			return showVersion(x, cmd, v)
		}),
	}
	f := add.Flags()
	f.StringVar(&in.Image, "image", "", "name of the image, made if there is none (default: the file's name)")
	f.StringVar(&in.Version, "version", "", "SemVer of the version")
	f.StringVar(&in.Commit, "commit", "", "source commit that it was built from")
	f.StringVar(&in.Channel, "channel", "", "channel to point to the version")
	f.StringVar(&in.Notes, "notes", "", "what is new in it")
	_ = add.MarkFlagRequired("version") // fails only for a flag that does not exist
	x.flagWords(add, "image", findImages)
	x.flagWords(add, "channel", ofFlag("image", findChannels))
	return add
}

// checkNumber refuses a number that the console would refuse after the upload,
// which may take hours: one that is none, and one that the image has already.
// Faults: version_invalid, version_exists.
func checkNumber(ctx context.Context, c *client.Client, in *api.PublishVersionInput) error {
	if _, err := api.VersionNumber(in.Version); err != nil {
		return refusedHere(http.StatusUnprocessableEntity, fault.From(err))
	}
	_, err := c.FindVersion(ctx, in.Image, in.Version, "")
	switch {
	case err == nil:
		return refusedHere(http.StatusConflict, fault.New(fault.KindConflict, store.CodeVersionExists))
	case exitCode(err) == exitNotFound:
		return nil
	}
	return err
}

// refusedHere is a fault as the console would have answered it: with its code,
// which scripts look for.
func refusedHere(status int, f *fault.Error) error {
	p := wire.NewProblem(status, string(f.Code))
	p.Detail = locale.English.Fault(string(f.Code), f.Params)
	return &p
}

// upload uploads a file with a bar, going on with what an earlier run left.
func (x *remote) upload(cmd *cobra.Command, c *client.Client, file *os.File, f client.File) (api.Upload, error) {
	mark, err := x.uploadMark(file)
	if err != nil {
		return api.Upload{}, err
	}
	f.TusID, f.Begun = mark.read(), mark.write
	up, err := sendImage(cmd.Context(), c, x.bars(cmd), f)
	if f.TusID != "" && client.IsCode(err, "upload_not_found") {
		f.TusID = "" // the console has given it up
		up, err = sendImage(cmd.Context(), c, x.bars(cmd), f)
	}
	if code := exitCode(err); code != exitNetwork && code != exitInterrupted {
		mark.remove() // it is done, or refused
	} else if mark.read() != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "What has arrived is kept: the same command goes on with it.")
	}
	return up, err
}

// openImage opens a file to upload.
func openImage(path string) (*os.File, client.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, client.File{}, fmt.Errorf("read the image: %w", err)
	}
	st, err := file.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New(path + " is not a file")
	}
	if err != nil {
		return nil, client.File{}, errors.Join(fmt.Errorf("read the image: %w", err), file.Close())
	}
	return file, client.File{Name: filepath.Base(path), Size: st.Size(), Content: file}, nil
}

// sendImage uploads a file with a bar and waits until it is inspected.
func sendImage(ctx context.Context, c *client.Client, b *bars, f client.File) (api.Upload, error) {
	line := b.add("upload")
	began := time.Now()
	start := int64(-1) // where it goes on
	looked := false
	f.Progress = func(done, total int64) {
		if start < 0 {
			if start = done; f.TusID != "" {
				line.say("goes on at " + locale.Bytes(done))
			}
		}
		line.set(done, total, bytesNote(done, total, start, began))
	}
	f.Inspected = func(u api.Upload) {
		if !looked {
			looked = true
			line.end("uploaded")
			line = b.add("inspect")
		}
		line.set(u.InspectedBytes, u.Bytes, rateNote(u.InspectedBytes, u.Bytes, u.InspectRate, time.Duration(u.InspectLeftSeconds)*time.Second))
	}
	up, err := c.Upload(ctx, f)
	if err != nil {
		if exitCode(err) == exitInterrupted {
			line.end("interrupted")
		} else {
			line.end("failed")
		}
		b.wait()
		return up, err
	}
	line.end(fmt.Sprintf("%s in %s, SHA-256 %.12s…", locale.Bytes(up.Bytes), locale.Duration(time.Since(began)), up.SHA256))
	b.wait()
	return up, nil
}
