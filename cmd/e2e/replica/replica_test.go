// Package replica holds the end-to-end tests of two consoles on one Postgres, of
// which one is killed: what it was about to tell, the other tells.
package replica

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/cmd/e2e/world"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m, world.Cleanup) }

// stickBytes is what is sold as 32 GB.
const stickBytes = 30_752_636_928

// pair is two consoles on one database, with a host and its stick.
type pair struct {
	t        *testing.T
	consoles [2]*world.World
	database string
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, database: storetest.URL(t)}
	args := []string{"--database-url", p.database, "--outbound-allow", "127.0.0.1"}
	first, second := world.Unstarted(t), world.Unstarted(t)
	p.consoles = [2]*world.World{first, second}
	first.StartServer(args...)
	first.SetUp()
	if err := os.MkdirAll(second.Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(first.Data(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(second.Data(), "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	second.StartServer(args...)
	if second.Client, err = client.New(second.URL, first.Token, client.Options{}); err != nil {
		t.Fatal(err)
	}
	second.Token = first.Token
	second.Enrol(1, stickBytes)
	return p
}

// happen queues a job for tomorrow and cancels it: a few events, and nothing is
// written.
func (p *pair) happen(by *world.World) api.Job {
	p.t.Helper()
	tomorrow := time.Now().Add(24 * time.Hour)
	in := api.QueueJobInput{
		Kind: protocol.JobWipe, Host: world.Host, NotBefore: &tomorrow,
		Options: protocol.JobOptions{Wipe: &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1}},
	}
	in.Devices = []api.QueueDevice{{Identity: by.Devices(1)[0].Identity}}
	job, err := by.Client.QueueJob(by.Context(), in)
	if err == nil {
		job, err = by.Client.CancelJob(by.Context(), job.ID)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return job
}

// sql changes what time would.
func (p *pair) sql(statement string) int64 {
	p.t.Helper()
	db, err := pgx.Connect(p.t.Context(), p.database)
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close(p.t.Context())
	tag, err := db.Exec(p.t.Context(), statement)
	if err != nil {
		p.t.Fatal(err)
	}
	return tag.RowsAffected()
}
