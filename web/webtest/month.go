package webtest

import (
	"testing"

	"github.com/stickpress/stickpress/api"
)

// Month makes of a job that is done a month of working days with jobs like it, of
// three to fourteen sticks, some of which failed: rows to be counted and listed,
// without a history.
func (x *Scene) Month(t testing.TB, like api.Job) {
	t.Helper()
	_, err := x.Store.Pool().Exec(t.Context(), `
		WITH days AS (
			SELECT n, at, 3 + (n * 7) % 10 + 2 * (n % 2) AS sticks, (n % 5 = 2)::int + (n % 11 = 3)::int AS failed,
				-- a UUID of that time, version 7
				(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 1, 15))::uuid AS job_id
			FROM generate_series(1, 29) n, LATERAL (SELECT now() - n * interval '1 day') AS a (at)
			WHERE extract(isodow FROM at) < 6
		), jobs_made AS (
			INSERT INTO jobs (id, site_id, host_id, kind, state, image_version_id, channel, task_sequence_version_id, layout, edition,
				reference, reference_system, holder, variables, options, created_by_kind, created_by_id, created_at, started_at, ended_at, seq)
			SELECT d.job_id, site_id, host_id, kind, CASE WHEN d.failed > 0 THEN 'failed' ELSE state END, image_version_id, channel, task_sequence_version_id, layout, edition,
				'CHG00' || 40180 - d.n, reference_system, holder, variables, options, created_by_kind, created_by_id, d.at, d.at, d.at + interval '9 minutes', seq
			FROM jobs, days d WHERE jobs.reference = $1
		)
		INSERT INTO builds (id, job_id, host_id, position, state, attempt, stick_id, device, reference, reference_system, holder, variables, step, touched,
			fault, result, assigned_at, started_at, ended_at, revision)
		SELECT gen_random_uuid(), d.job_id, b.host_id, i, CASE WHEN i <= d.failed THEN 'failed' ELSE b.state END, b.attempt, b.stick_id, b.device,
			b.reference, b.reference_system, b.holder, b.variables, b.step, b.touched,
			CASE WHEN i <= d.failed THEN (ARRAY[
				'{"code": "verify_mismatch", "touched": true, "params": {"offset": "7516192768", "want": "9f86d081", "have": "00000000"}}',
				'{"code": "device_gone", "touched": true, "params": {"port": "1-1.4"}}',
				'{"code": "stick_too_slow", "params": {"have_rate": "9400000", "need_rate": "20000000"}}'])[1 + d.n % 3]::jsonb END,
			CASE WHEN i > d.failed THEN b.result END, d.at, d.at, d.at + interval '9 minutes', b.revision
		FROM days d, generate_series(1, 14) i, builds b WHERE i <= d.sticks AND b.job_id = (SELECT id FROM jobs WHERE reference = $1) AND b.position = 1 + i % 12`,
		like.ExternalRef.ID)
	if err != nil {
		t.Fatal(err)
	}
}
