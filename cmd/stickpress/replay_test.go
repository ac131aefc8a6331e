package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// The command works on a console that is not running, and fails when a row is
// not what its history says.
func TestReplay(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "postgres"), 0o700); err != nil {
		t.Fatal(err)
	}
	replay := func(flags ...string) (string, error) {
		var out strings.Builder
		_, err := run(t.Context(), append([]string{"replay", "--data", data}, flags...), nil, nil, &out, io.Discard)
		return out.String(), err
	}
	if out, err := replay("--check"); err != nil || !strings.Contains(out, "0 differences") {
		t.Fatalf("a fresh console: %q, %v", out, err)
	}
	spoil := &cobra.Command{Use: "spoil", RunE: withServer(nil, func(cmd *cobra.Command, _ []string, s *server) error {
		_, err := s.store.Pool().Exec(cmd.Context(),
			`WITH host AS (INSERT INTO hosts (id, site_id, name, public_key, state, enrolled_at, updated_at)
				SELECT gen_random_uuid(), id, 'bench', decode(repeat('00', 32), 'hex'), 'enrolled', now(), now() FROM sites RETURNING id)
			INSERT INTO sticks (id, host_id, state, kind, serial, vid_pid, vendor, model, bytes, port, lun, layout, disk_id,
				created_at, updated_at, seq)
			SELECT gen_random_uuid(), id, 'unknown', 'virtual', '', '', '', '', 1, 'a', 0, '', '', now(), now(), 1 FROM host`)
		return err
	})}
	addConfigFlags(spoil.Flags())
	spoil.SetArgs([]string{"--data", data})
	spoil.SilenceUsage = true
	spoil.SetErr(io.Discard)
	if err := spoil.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := replay("--check"); exitCode(err) != exitFailed || !strings.Contains(out, " 1 difference\n") || !strings.Contains(out, "stick stick_") {
		t.Errorf("a stick without a history: %q, %v", out, err)
	}
}
