package kill

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/store"
)

// checkEvents reads a job's history through the API: no number is missing, and
// what is told once was told once.
func (b *bench) checkEvents(job api.Job) {
	b.T.Helper()
	seq := int64(0)
	type attempt struct {
		build string
		n     int
	}
	ends, touches := map[attempt]int{}, map[attempt]int{}
	for {
		events, err := b.Client.JobEvents(b.Context(), job.ID, seq)
		if err != nil {
			b.T.Fatal(err)
		}
		for _, e := range events {
			if seq++; e.Seq != seq {
				b.T.Fatalf("job %s: event %d follows %d", job.ID, e.Seq, seq-1)
			}
			switch e.Type {
			case "build_verified", "build_failed", "build_cancelled":
				ends[attempt{e.BuildID, e.Attempt}]++
			case "build_touched":
				touches[attempt{e.BuildID, e.Attempt}]++
			}
		}
		if len(events) == 0 {
			break
		}
	}
	if seq != job.LastSeq {
		b.T.Errorf("job %s: %d events, the job counts %d", job.ID, seq, job.LastSeq)
	}
	for _, x := range job.Builds {
		for n := min(1, x.Attempt); n <= x.Attempt; n++ { // one that was cancelled before it began has none
			if a := (attempt{x.ID, n}); ends[a] != 1 || touches[a] > 1 {
				b.T.Errorf("build %s, attempt %d: %d ends, touched %d times", x.ID, n, ends[a], touches[a])
			}
		}
	}
}

// checkHistory asks Postgres itself whether any stream of events has a gap or
// any host number is missing, and lets the store make all jobs and sticks anew
// from their events.
func (b *bench) checkHistory() {
	b.T.Helper()
	ctx := b.Context()
	conn, err := pgx.Connect(ctx, b.DatabaseURL())
	if err != nil {
		b.T.Fatal(err)
	}
	defer conn.Close(ctx)
	for what, query := range map[string]string{
		"jobs with gaps in seq": `SELECT job_id::text FROM job_events GROUP BY job_id
			HAVING min(seq) <> 1 OR max(seq) <> count(*)`,
		"sticks with gaps in seq": `SELECT stick_id::text FROM stick_events GROUP BY stick_id
			HAVING min(seq) <> 1 OR max(seq) <> count(*)`,
		"attempts with gaps in host_seq": `SELECT build_id::text || ' ' || attempt FROM job_events WHERE host_seq IS NOT NULL
			GROUP BY build_id, attempt HAVING min(host_seq) <> 1 OR max(host_seq) <> count(*)`,
		"attempts that never ended": `SELECT build_id::text || ' ' || attempt FROM build_attempts WHERE state = 'leased'`,
	} {
		rows, err := conn.Query(ctx, query)
		if err != nil {
			b.T.Fatal(err)
		}
		bad, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			b.T.Fatalf("%s: %v", what, err)
		}
		if len(bad) > 0 {
			b.T.Errorf("%s: %v", what, bad)
		}
	}
	b.replay()
}

// replay is what `stickpress replay --check` would say.
func (b *bench) replay() {
	b.T.Helper()
	report, err := b.store().Replay(b.Context(), true)
	if err != nil {
		b.T.Fatal(err)
	}
	var differences []string
	for _, d := range report.Differences {
		differences = append(differences, fmt.Sprintf("%+v", d))
	}
	if len(differences) > 0 || report.Jobs == 0 || report.Sticks == 0 {
		b.T.Errorf("replay of %d jobs, %d sticks, %d events:\n%s", report.Jobs, report.Sticks, report.Events, strings.Join(differences, "\n"))
	}
}

// store is the console's database, behind its back.
func (b *bench) store() *store.Store {
	b.T.Helper()
	keys, err := store.LoadKeyring(filepath.Join(b.Data(), "master.key"))
	if err != nil {
		b.T.Fatal(err)
	}
	s, err := store.Open(b.Context(), b.DatabaseURL(), store.Options{Keys: keys, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.T.Fatal(err)
	}
	b.T.Cleanup(s.Close)
	return s
}
