package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

// remote are the flags of commands that talk to a console over REST.
type remote struct{ server, token string }

func (x *remote) addFlags(cmd *cobra.Command, environ []string) {
	cmd.Flags().StringVar(&x.server, "server", lookup(environ, "STICKPRESS_SERVER", "http://127.0.0.1:8080"), "the console's URL [STICKPRESS_SERVER]")
	cmd.Flags().StringVar(&x.token, "token", "", "bearer token of an admin [STICKPRESS_TOKEN]")
}

func (x *remote) client(environ []string) (*client.Client, error) {
	token := x.token
	if token == "" {
		token = lookup(environ, "STICKPRESS_TOKEN", "")
	}
	if token == "" {
		return nil, fmt.Errorf("no token: make one on the console's account page and set STICKPRESS_TOKEN")
	}
	return client.New(x.server, token, client.Options{UserAgent: "stickpress/" + version})
}

func imageCommand(environ []string) *cobra.Command {
	image := &cobra.Command{Use: "image", Short: "Manages image versions on a console"}
	image.AddCommand(imageAddCommand(environ), imageCaptureCommand(environ), blockMapCommand(environ))
	return image
}

func imageAddCommand(environ []string) *cobra.Command {
	var to remote
	var in api.PublishVersionInput
	add := &cobra.Command{
		Use:   "add FILE",
		Short: "Uploads an image and publishes it as a version",
		Long: `Uploads an image and publishes it as a version: a WIM or ESD, of whose editions
sticks are pressed, or a disk image, which is written as it is: an ISO, a VHD or
VHDX, or a raw disk, the last one also as .zst, .xz or .gz.

The upload resumes by itself when the connection breaks. A file that is not a
readable image is refused with the reason, and leaves nothing behind.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := to.client(environ)
			if err != nil {
				return err
			}
			if in.Image == "" {
				base := filepath.Base(args[0])
				in.Image = strings.ToLower(strings.TrimSuffix(base, filepath.Ext(base)))
			}
			version, err := addImage(cmd, c, args[0], in, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return printVersion(cmd.OutOrStdout(), version)
		},
	}
	to.addFlags(add, environ)
	add.Flags().StringVar(&in.Image, "image", "", "name of the image (default: the file's name)")
	add.Flags().StringVar(&in.Version, "version", "", "SemVer of the version")
	add.Flags().StringVar(&in.Commit, "commit", "", "source commit that it was built from")
	add.Flags().StringVar(&in.Channel, "channel", "", "channel to point to the version")
	add.Flags().StringVar(&in.Notes, "notes", "", "what is new in it")
	_ = add.MarkFlagRequired("version") // fails only for a flag that does not exist
	return add
}

// addImage uploads a file with a bar and publishes it.
func addImage(cmd *cobra.Command, c *client.Client, path string, in api.PublishVersionInput, out io.Writer) (api.Version, error) {
	if _, err := os.Stat(path); err != nil {
		return api.Version{}, fmt.Errorf("read the image: %w", err)
	}
	b := newBars(out)
	x := b.add("upload")
	began := time.Now()
	var looked time.Time // since when it is inspected
	up, err := c.UploadFile(cmd.Context(), path, func(done, total int64) {
		x.set(done, total, bytesNote(done, total, began))
	}, func(done, total int64) {
		if looked.IsZero() {
			looked = time.Now()
			x.end("uploaded")
			x = b.add("inspect")
		}
		x.set(done, total, bytesNote(done, total, looked))
	})
	if err != nil {
		x.end("failed")
		b.wait()
		return api.Version{}, err
	}
	x.end(fmt.Sprintf("%s in %s, SHA-256 %.12s…", locale.Bytes(up.Bytes), locale.Duration(time.Since(began)), up.SHA256))
	b.wait()
	in.UploadID = up.ID
	return c.PublishVersion(cmd.Context(), in)
}

func printVersion(w io.Writer, v api.Version) error {
	fmt.Fprintf(w, "%s %s  %s  %s\n", v.ImageName, v.Version, v.ID, v.SHA256)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range v.Editions {
		fmt.Fprintf(tw, "  %d\t%s\t%s\t%v\t%s\t%s\n", e.Index, e.Name, e.Architecture, e.Build, strings.Join(e.Languages, ","), locale.Bytes(e.Bytes))
	}
	if v.Disk != nil {
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", v.Format, locale.Bytes(v.Disk.Bytes), v.Disk.DiskID)
	}
	return tw.Flush()
}

// lookup reads one variable of an environment in the form of os.Environ.
func lookup(environ []string, name, fallback string) string {
	for _, e := range environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok && value != "" {
			return value
		}
	}
	return fallback
}
