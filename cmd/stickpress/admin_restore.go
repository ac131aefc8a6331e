package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/blob"
	"github.com/stickpress/stickpress/store/pglocal"
	"github.com/stickpress/stickpress/store/snapshot"
)

func restoreCommand(environ []string) *cobra.Command {
	var keys backupKeys
	var check, without bool
	restore := &cobra.Command{
		Use:   "restore FILE",
		Short: "Brings a backup back into a new, empty database",
		Long: `Brings a backup back into an empty database: that of --database-url, or a private
one in a new data folder. Nothing else is accepted, and either all of it comes back
or nothing. Before that, put what no backup holds into the data folder: the old
"master.key", and the folder "blobs" with the image files.

Afterwards start the server, and compare with 'stickpress replay --check'. People
sign in again. What was waiting to be sent to webhooks and tickets is sent as soon
as the server runs.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := loadConfig(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			identities, err := keys.open(cmd)
			if err != nil {
				return err
			}
			file, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("open the backup: %w", err)
			}
			defer file.Close()
			m, err := snapshot.Check(file, identities...)
			if err != nil {
				return fmt.Errorf("%w. Nothing was changed", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), told(&m))
			if err := errors.Join(checkKey(c.Data, &m), checkBlobs(cmd, c.Data, &m, without)); err != nil {
				return fmt.Errorf("%w\nNothing was changed", err)
			}
			if check {
				fmt.Fprintln(cmd.OutOrStdout(), "It is whole, and all that it needs is there. Nothing was changed.")
				return nil
			}
			if err := restoreFrom(cmd, c, file, identities); err != nil {
				return fmt.Errorf("%w. Nothing was brought back", err)
			}
			if err := noteRestore(c.Data, restored{MadeAt: m.MadeAt, RestoredAt: time.Now()}); err != nil {
				return fmt.Errorf("all of it is back, but 'stickpress admin doctor' will not know from where: %w", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "All of it is back. Start the server, and compare with 'stickpress replay --check'.")
			return nil
		},
	}
	f := restore.Flags()
	f.StringArrayVarP(&keys.identities, "identity", "i", nil, "file with an age key (AGE-SECRET-KEY-1…) that the backup was made for; may be repeated")
	keys.addPassphrase(restore)
	f.BoolVar(&check, "check", false, "only say whether it could be brought back")
	f.BoolVar(&without, "without-blobs", false, "go on although image files are missing: what is made of them cannot be pressed before they are there")
	addConfigFlags(f)
	return restore
}

// restoreFrom fills the database of a configuration.
func restoreFrom(cmd *cobra.Command, c Config, file io.ReadSeeker, identities []age.Identity) (err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the backup once more: %w", err)
	}
	log := newLogger(c, cmd.ErrOrStderr())
	url := c.DatabaseURL
	if url == "" {
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
		pg, err := pglocal.Start(cmd.Context(), pglocal.Options{Dir: filepath.Join(c.Data, "postgres"), Logger: log})
		if err != nil {
			return fmt.Errorf("start the private Postgres: %w", err)
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), postgresTime)
			defer cancel()
			err = errors.Join(err, pg.Stop(ctx))
		}()
		url = pg.URL()
	}
	_, err = snapshot.Load(cmd.Context(), url, file, log, identities...)
	return err
}

// checkKey wants the master key that the backup's secrets are sealed under.
func checkKey(data string, m *snapshot.Manifest) error {
	path := filepath.Join(data, "master.key")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && len(m.KeyIDs) > 0 {
		return fmt.Errorf("the master key is missing: put the old console's into %s", path)
	}
	keys, err := store.LoadKeyring(path)
	if err != nil {
		return err
	}
	if missing := keys.Missing(m.KeyIDs); len(missing) > 0 {
		return fmt.Errorf("%s is not the master key of this backup: it lacks %s", path, strings.Join(missing, ", "))
	}
	return nil
}

// maxNamed is how many missing files are named.
const maxNamed = 10

// checkBlobs wants the image files that the backup refers to, as long as they
// should be. Their bytes are compared when a host fetches them.
func checkBlobs(cmd *cobra.Command, data string, m *snapshot.Manifest, without bool) error {
	dir := filepath.Join(data, "blobs")
	var blobs *blob.Folder
	if _, err := os.Stat(dir); err == nil { // else none is there
		if blobs, err = blob.OpenFolder(dir, time.Now()); err != nil {
			return err
		}
	}
	var missing []string
	var bytes int64
	for _, b := range m.Blobs {
		if blobs != nil {
			if r, err := blobs.Record(cmd.Context(), b.SHA256); err == nil && r.Bytes == b.Bytes {
				continue
			}
		}
		missing, bytes = append(missing, b.SHA256), bytes+b.Bytes
	}
	if len(missing) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d of %d image files (%d bytes) are missing in %s:", len(missing), len(m.Blobs), bytes, dir)
	for i, digest := range missing {
		if i == maxNamed {
			text += fmt.Sprintf("\n  and %d more", len(missing)-i)
			break
		}
		text += "\n  " + digest
	}
	if without {
		fmt.Fprintln(cmd.ErrOrStderr(), text)
		return nil
	}
	return errors.New(text + "\nCopy the old console's folder, or go on without them: --without-blobs")
}
