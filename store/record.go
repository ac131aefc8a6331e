package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// StickRecord is what a stick is compared with.
type StickRecord struct {
	StickID StickID // of the console; a record may lack it
	Own     protocol.StickRecord
	Body    json.RawMessage // the common part
}

// digestForm is how a common part is named.
var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// recordQuery finds records of what sticks carry now.
const recordQuery = `SELECT s.id AS stick_id, b.result -> 'record' AS own, r.body
	FROM sticks s JOIN builds b ON b.id = s.last_build_id
		JOIN stick_records r ON r.common = b.result -> 'record' ->> 'common'
	WHERE s.state = 'verified' AND r.body IS NOT NULL AND `

// ofDisk is what carries a disk ID, has a size in bytes, and was written at a
// host's site.
const ofDisk = `s.disk_id = @disk AND s.disk_id <> '' AND s.bytes = @size
	AND b.host_id IN (SELECT id FROM hosts WHERE site_id = (SELECT site_id FROM hosts WHERE id = @host)) `

// RecordOfDisk finds the record of the stick that carries a disk ID and has a
// size in bytes; of copies that share both, the one that was written last. It
// looks among what was written at the host's site. It fails with
// record_not_found.
func (r Reader) RecordOfDisk(ctx context.Context, host HostID, diskID string, size int64) (StickRecord, error) {
	return one[StickRecord](ctx, r.db, "record", diskID,
		recordQuery+ofDisk+`ORDER BY s.verified_at DESC, s.id DESC LIMIT 1`,
		pgx.NamedArgs{"disk": diskID, "size": size, "host": host})
}

// RecordOfContent is RecordOfDisk for the content with a common part: versions
// of a disk image may share the rest.
func (r Reader) RecordOfContent(ctx context.Context, host HostID, diskID string, size int64, common string) (StickRecord, error) {
	return one[StickRecord](ctx, r.db, "record", common,
		recordQuery+ofDisk+`AND r.common = @common ORDER BY s.verified_at DESC, s.id DESC LIMIT 1`,
		pgx.NamedArgs{"disk": diskID, "size": size, "host": host, "common": common})
}

// ContentsOfDisk lists the common parts of all that RecordOfDisk looks among,
// those that were written last first: at most 8.
func (r Reader) ContentsOfDisk(ctx context.Context, host HostID, diskID string, size int64) ([]string, error) {
	rows, _ := r.db.Query(ctx,
		`SELECT r.common FROM sticks s JOIN builds b ON b.id = s.last_build_id
			JOIN stick_records r ON r.common = b.result -> 'record' ->> 'common'
		WHERE s.state = 'verified' AND r.body IS NOT NULL AND `+ofDisk+`
		GROUP BY r.common ORDER BY max(s.verified_at) DESC LIMIT 8`, pgx.NamedArgs{"disk": diskID, "size": size, "host": host})
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return list, fail(err, "look for what a disk may carry")
}

// VersionOfRecord finds the version that sticks with a common part carry, or
// fails with image_version_not_found.
func (r Reader) VersionOfRecord(ctx context.Context, common string) (VersionID, error) {
	row, err := one[struct{ ID VersionID }](ctx, r.db, "image_version", common,
		`SELECT j.image_version_id AS id FROM sticks s JOIN builds b ON b.id = s.last_build_id JOIN jobs j ON j.id = b.job_id
		WHERE b.result -> 'record' ->> 'common' = @common AND j.image_version_id IS NOT NULL
		ORDER BY s.verified_at DESC LIMIT 1`, pgx.NamedArgs{"common": common})
	return row.ID, err
}

// RecordOfStick finds the record of what a stick carries, or fails with
// record_not_found.
func (r Reader) RecordOfStick(ctx context.Context, id StickID) (StickRecord, error) {
	return one[StickRecord](ctx, r.db, "record", id, recordQuery+`s.id = @id`, pgx.NamedArgs{"id": id})
}

// MissingRecords lists the common parts that sticks need which the host wrote,
// and that nobody has given or refused so far: at most 100.
func (r Reader) MissingRecords(ctx context.Context, host HostID) ([]string, error) {
	rows, _ := r.db.Query(ctx,
		`SELECT DISTINCT b.result -> 'record' ->> 'common' FROM builds b
		WHERE b.host_id = @host AND b.result -> 'record' ->> 'common' <> ''
			AND b.result -> 'record' ->> 'common' ~ '^[0-9a-f]{64}$'
			AND NOT EXISTS (SELECT FROM stick_records r WHERE r.common = b.result -> 'record' ->> 'common')
		LIMIT 100`, pgx.NamedArgs{"host": host})
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return missing, fail(err, "look for missing records")
}

// LacksRecords reports which of the common parts, of sticks that the host wrote,
// have no body here, whether it was asked before or not.
func (r Reader) LacksRecords(ctx context.Context, host HostID, common []string) ([]string, error) {
	rows, _ := r.db.Query(ctx,
		`SELECT DISTINCT c FROM unnest(@common::text[]) AS c
		WHERE c ~ '^[0-9a-f]{64}$'
			AND EXISTS (SELECT FROM builds b WHERE b.host_id = @host AND b.result -> 'record' ->> 'common' <> ''
				AND b.result -> 'record' ->> 'common' = c)
			AND NOT EXISTS (SELECT FROM stick_records r WHERE r.common = c AND r.body IS NOT NULL)`,
		pgx.NamedArgs{"host": host, "common": common})
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return missing, fail(err, "look for records")
}

// PutRecord keeps the common part that a host gives, or that it has none; what
// is here stays. A part that no stick of the host needs, or that is not what
// its name says, is the fault record_refused.
func (tx *Tx) PutRecord(ctx context.Context, host HostID, m *protocol.Record) error {
	if !digestForm.MatchString(m.Common) {
		return fault.New(fault.KindInvalid, CodeRecordRefused, "common", "–")
	}
	refused := fault.New(fault.KindInvalid, CodeRecordRefused, "common", m.Common)
	if len(m.Body) > 0 {
		sum := sha256.Sum256(m.Body)
		if hex.EncodeToString(sum[:]) != m.Common || len(m.Body) > protocol.MaxRecord {
			return refused
		}
	}
	tag, err := tx.tx.Exec(ctx,
		`INSERT INTO stick_records (common, body, at)
		SELECT @common, nullif(@body::bytea, ''), @at
		WHERE EXISTS (SELECT FROM builds WHERE host_id = @host AND result -> 'record' ->> 'common' = @common)
		ON CONFLICT ON CONSTRAINT stick_records_pkey
			DO UPDATE SET body = coalesce(stick_records.body, excluded.body), at = excluded.at`,
		pgx.NamedArgs{"common": m.Common, "body": []byte(m.Body), "at": tx.at, "host": host})
	if err == nil && tag.RowsAffected() == 0 {
		return refused
	}
	return fail(err, "keep a record")
}

// Recorded reports whether there is a record of what a stick carries.
func (r Reader) Recorded(ctx context.Context, id StickID) (bool, error) {
	var known bool
	err := r.db.QueryRow(ctx, `SELECT EXISTS (`+recordQuery+`s.id = @id)`, pgx.NamedArgs{"id": id}).Scan(&known)
	return known, fail(err, "look for a record")
}
