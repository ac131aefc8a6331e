// Package snapshot writes all that the console knows into one encrypted file,
// and brings it back into an empty database.
//
// The file is age (age-encryption.org/v1) around zstd around tar. Its entries:
//
//	header.json            what made it, and the version of the schema
//	tables/NAME/000001 …   what COPY … TO STDOUT says, in pieces of at most 4 MiB
//	manifest.json          the tables with their columns, rows and SHA-256; the blobs; the keys
//
// The rows come from one transaction that sees one moment of the database
// (REPEATABLE READ), in COPY's text format, which every version of Postgres reads.
// The manifest is last: a file without it is not whole. age authenticates each
// 64 KiB and the end.
//
// Not in it: image files (the manifest names them by digest and size), the master
// key, and what means nothing elsewhere (leftOut). Secrets stay sealed under the
// master key, so the file alone tells none.
package snapshot

import (
	"errors"
	"time"
)

// Format is the version of the layout above.
const Format = 1

// The names of the entries.
const (
	headerName   = "header.json"
	manifestName = "manifest.json"
	tablesDir    = "tables/"
)

// pieceBytes is the length of a piece of a table, in bytes.
const pieceBytes = 4 << 20

// maxJSON bounds header and manifest, in bytes.
const maxJSON = 256 << 20

// Header says what a snapshot is before anything of it was read.
type Header struct {
	Format   int       `json:"format"`
	MadeAt   time.Time `json:"made_at"`
	Program  string    `json:"program"`  // version of the program that made it
	Schema   uint      `json:"schema"`   // number of the newest migration
	Postgres string    `json:"postgres"` // version of the server, for people
}

// Table is one table of a snapshot.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes"`  // of COPY's text
	SHA256  string   `json:"sha256"` // of COPY's text, in hexadecimal digits
}

// Blob is an image file that the database refers to and the snapshot does not
// hold.
type Blob struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Manifest says what is in a snapshot.
type Manifest struct {
	Header
	Tables []Table `json:"tables"`
	Blobs  []Blob  `json:"blobs"`
	// KeyIDs name the master keys under which its secrets are sealed.
	KeyIDs []string `json:"key_ids"`
}

// Rows is the number of all rows.
func (m *Manifest) Rows() (n int64) {
	for i := range m.Tables {
		n += m.Tables[i].Rows
	}
	return n
}

// BlobBytes is the length of all image files, in bytes.
func (m *Manifest) BlobBytes() (n int64) {
	for _, b := range m.Blobs {
		n += b.Bytes
	}
	return n
}

// What is wrong with a snapshot, or with the place that it is to go to.
var (
	ErrNotSnapshot = errors.New("this is no backup of a console")
	ErrWrongKey    = errors.New("the backup cannot be opened with this passphrase or key")
	ErrCut         = errors.New("the backup is not whole: its end is missing")
	ErrDamaged     = errors.New("the backup was changed, or is damaged or cut off")
	ErrNewer       = errors.New("the backup was made by a newer program: use that one, or a newer one")
	ErrNotEmpty    = errors.New("the database is not empty: a backup is brought back into a new one only")
)

// leftOut are the tables that no snapshot holds, and why.
var leftOut = map[string]string{
	"schema_migrations":    "the schema is made by the migrations",
	"schema_requirement":   "the schema is made by the migrations",
	"sessions":             "whoever has the file would be signed in",
	"user_sessions":        "they name sessions",
	"host_progress":        "means nothing a second later",
	"host_identifications": "a stick would flash long after somebody asked for it",
}

// othersThanMade says, of the tables in which the migrations put rows, which rows
// are others.
var othersThanMade = map[string]string{
	"sites":          "id <> '01900000-0000-7000-8000-000000000001'", // store.DefaultSite
	"webhook_reader": "false",
}

// onlyRows narrows what is taken of a table.
var onlyRows = map[string]string{
	"inspections": "state <> 'inspecting'", // of a file that is in no backup
}
