package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/store/snapshot"
)

func backupCommand(environ []string) *cobra.Command {
	var keys backupKeys
	backup := &cobra.Command{
		Use:   "backup FILE",
		Short: "Writes all that the console knows into an encrypted file",
		Long: `Writes all that the console knows into FILE, which must not exist ("-" is standard
output), as it is in one moment, beside a running server or without one. It is
encrypted with a passphrase, or for the owners of age keys.

Not in it: image files (the folder "blobs" in the data folder: copy that as well),
and the master key ("master.key": keep a copy elsewhere, since without it no
template, no second factor and not the console's identity can be read).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipients, err := keys.lock(cmd) // before anything is started
			if err != nil {
				return err
			}
			return withServer(environ, func(cmd *cobra.Command, args []string, s *server) error {
				out, err := createBackup(cmd, args[0])
				if err != nil {
					return err
				}
				m, err := s.console.Backup(cmd.Context(), api.System("command line"), out, version, recipients...)
				if err := errors.Join(err, out.end(err == nil)); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s\nCopy them, and keep the master key in a place of its own.\n", told(&m))
				return nil
			})(cmd, args)
		},
	}
	f := backup.Flags()
	f.StringArrayVarP(&keys.recipients, "recipient", "r", nil, "age public key (age1…) of somebody who may open it; may be repeated")
	f.StringArrayVarP(&keys.recipientFiles, "recipients-file", "R", nil, "file of age public keys, one a line; may be repeated")
	keys.addPassphrase(backup)
	addConfigFlags(f)
	return backup
}

// told says what a snapshot holds and what not.
func told(m *snapshot.Manifest) string {
	return fmt.Sprintf("%d rows of %d tables, as of %s. Not in it: %s, %d bytes.",
		m.Rows(), len(m.Tables), m.MadeAt.Format("2006-01-02 15:04:05Z"), counted(len(m.Blobs), "image file"), m.BlobBytes())
}

// backupFile gets its name when it is whole.
type backupFile struct {
	*os.File
	path string // "" for standard output
}

func createBackup(cmd *cobra.Command, path string) (*backupFile, error) {
	if path == "-" {
		out, ok := cmd.OutOrStdout().(*os.File)
		if !ok {
			return nil, wrong(cmd, "standard output is no file")
		}
		return &backupFile{File: out}, nil
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("%s is there already: a backup replaces nothing", path), err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("make the backup: %w", err)
	}
	return &backupFile{File: f, path: path}, nil
}

// end keeps a whole file, and removes any other.
func (f *backupFile) end(whole bool) error {
	if f.path == "" {
		return nil
	}
	defer os.Remove(f.Name())
	if !whole {
		return f.Close()
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if err := os.Link(f.Name(), f.path); err != nil { // which replaces nothing
		return fmt.Errorf("name the backup: %w", err)
	}
	return nil
}
