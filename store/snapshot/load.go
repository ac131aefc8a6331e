package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/store"
)

// Load brings a snapshot that Check has found good into an empty database: one
// without a schema, or with one in which nothing is. All of it comes in one
// transaction, or nothing; then the schema is brought up to this program's. Errors
// beside those of Check: ErrNotEmpty.
func Load(ctx context.Context, url string, r io.Reader, log *slog.Logger, identities ...age.Identity) (Manifest, error) {
	newest, err := store.Schema()
	if err != nil {
		return Manifest{}, err
	}
	a, h, err := open(r, identities)
	if err != nil {
		return Manifest{}, err
	}
	defer a.close()
	if h.Schema > newest {
		return Manifest{}, fmt.Errorf("%w (its schema is %d, this program's %d)", ErrNewer, h.Schema, newest)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return Manifest{}, fmt.Errorf("reach the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := prepare(ctx, conn, url, h.Schema, log); err != nil {
		return Manifest{}, err
	}
	var m Manifest
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		m, err = (&loader{tx: tx, archive: a}).all(ctx)
		return err
	})
	if err != nil {
		return Manifest{}, err
	}
	if err := store.Migrate(ctx, url, log); err != nil {
		return Manifest{}, fmt.Errorf("bring the schema up to date: %w", err)
	}
	return m, nil
}

// prepare makes the schema that a snapshot was made with.
func prepare(ctx context.Context, conn *pgx.Conn, url string, schema uint, log *slog.Logger) error {
	var tables int
	var ours bool
	err := conn.QueryRow(ctx,
		`SELECT count(*), to_regclass('public.schema_requirement') IS NOT NULL FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`).Scan(&tables, &ours)
	if err != nil {
		return fmt.Errorf("look into the database: %w", err)
	}
	if tables > 0 && !ours {
		return fmt.Errorf("%w (%d tables of somebody else's are in it)", ErrNotEmpty, tables)
	}
	if ours {
		// Before anything is changed; what is certain is asked for again, in the transaction.
		if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return checkEmpty(ctx, tx) }); err != nil {
			return err
		}
	}
	if err := store.MigrateTo(ctx, url, schema, log); err != nil {
		return fmt.Errorf("make the schema of the backup: %w", err)
	}
	return nil
}

// checkEmpty refuses a database in which anything is that the migrations did not
// put there.
func checkEmpty(ctx context.Context, tx pgx.Tx) error {
	tables, err := columns(ctx, tx)
	if err != nil {
		return err
	}
	for table := range tables {
		sql := "SELECT EXISTS (SELECT FROM " + quoted([]string{table})
		if others := othersThanMade[table]; others != "" {
			sql += " WHERE " + others
		}
		var used bool
		if err := tx.QueryRow(ctx, sql+")").Scan(&used); err != nil {
			return fmt.Errorf("look into table %s: %w", table, err)
		}
		if used {
			return fmt.Errorf("%w (table %s)", ErrNotEmpty, table)
		}
	}
	return nil
}

// loader is the work on one snapshot.
type loader struct {
	tx      pgx.Tx
	archive *archive
	tables  map[string][]column
	rows    map[string]int64
}

func (l *loader) all(ctx context.Context) (m Manifest, err error) {
	if _, err := l.tx.Exec(ctx, plain); err != nil {
		return m, fmt.Errorf("prepare the database: %w", err)
	}
	if l.tables, err = columns(ctx, l.tx); err != nil {
		return m, err
	}
	for table := range l.tables {
		if _, err := l.tx.Exec(ctx, "LOCK TABLE "+quoted([]string{table})); err != nil {
			return m, fmt.Errorf("lock table %s: %w", table, err)
		}
	}
	if err := checkEmpty(ctx, l.tx); err != nil {
		return m, err
	}
	references, err := l.dropReferences(ctx)
	if err != nil {
		return m, err
	}
	for table := range othersThanMade {
		if l.tables[table] == nil {
			continue // it came later than this schema
		}
		if _, err := l.tx.Exec(ctx, "DELETE FROM "+quoted([]string{table})); err != nil {
			return m, fmt.Errorf("make room in table %s: %w", table, err)
		}
	}
	l.rows = map[string]int64{}
	if m, err = l.archive.tables(func(name string, r io.Reader) error { return l.table(ctx, name, r) }); err != nil {
		return m, err
	}
	if err := l.agree(&m); err != nil {
		return m, err
	}
	for _, sql := range references {
		if _, err := l.tx.Exec(ctx, sql); err != nil {
			return m, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return m, l.count(ctx)
}

// dropReferences takes foreign keys away while tables are filled one after the
// other, and returns what brings them back, with a check of every row.
func (l *loader) dropReferences(ctx context.Context) ([]string, error) {
	rows, _ := l.tx.Query(ctx,
		`SELECT c.relname AS table, k.conname AS name, pg_get_constraintdef(k.oid) AS definition
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
		WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace AND k.conparentid = 0 ORDER BY 1, 2`)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[struct{ Table, Name, Definition string }])
	if err != nil {
		return nil, fmt.Errorf("list the references between tables: %w", err)
	}
	var back []string
	for _, k := range list {
		alter := "ALTER TABLE " + quoted([]string{k.Table})
		if _, err := l.tx.Exec(ctx, alter+" DROP CONSTRAINT "+quoted([]string{k.Name})); err != nil {
			return nil, fmt.Errorf("set aside the references of table %s: %w", k.Table, err)
		}
		back = append(back, alter+" ADD CONSTRAINT "+quoted([]string{k.Name})+" "+k.Definition)
	}
	return back, nil
}

// table fills one table.
func (l *loader) table(ctx context.Context, name string, r io.Reader) error {
	list, ok := l.tables[name]
	if !ok {
		return fmt.Errorf("%w: its schema has no table %s", ErrDamaged, name)
	}
	from := &failing{r: r}
	tag, err := l.tx.Conn().PgConn().CopyFrom(ctx, from, "COPY "+quoted([]string{name})+" ("+quoted(names(list))+") FROM STDIN")
	if from.err != nil {
		return from.err
	}
	if err != nil {
		return fmt.Errorf("fill table %s: %w", name, err)
	}
	l.rows[name] = tag.RowsAffected()
	return nil
}

// failing keeps what a reader failed with: the database would only say that the
// client gave up.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, ErrCut) {
		f.err = err
	}
	return n, err
}

// agree compares what came in with the manifest and with the schema.
func (l *loader) agree(m *Manifest) error {
	for i := range m.Tables {
		t := &m.Tables[i]
		list, ok := l.tables[t.Name]
		if !ok || !slices.Equal(names(list), t.Columns) {
			return fmt.Errorf("%w: table %s is not that of schema %d", ErrDamaged, t.Name, m.Schema)
		}
		if l.rows[t.Name] != t.Rows {
			return fmt.Errorf("%w: table %s has %d rows, its manifest says %d", ErrDamaged, t.Name, l.rows[t.Name], t.Rows)
		}
		delete(l.tables, t.Name)
	}
	for name := range l.tables {
		return fmt.Errorf("%w: it has no table %s", ErrDamaged, name)
	}
	return nil
}

// count sets what counts rows behind those that came in.
func (l *loader) count(ctx context.Context) error {
	tables, err := columns(ctx, l.tx)
	if err != nil {
		return err
	}
	for table, list := range tables {
		for _, c := range list {
			if c.Sequence == "" {
				continue
			}
			last := "SELECT max(" + quoted([]string{c.Name}) + ") FROM " + quoted([]string{table})
			_, err := l.tx.Exec(ctx, "SELECT setval(@sequence::regclass, coalesce(("+last+"), 1), ("+last+") IS NOT NULL)",
				pgx.NamedArgs{"sequence": c.Sequence})
			if err != nil {
				return fmt.Errorf("set the counter of table %s: %w", table, err)
			}
		}
	}
	return nil
}
