package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/blob"
)

// masterKey looks whether secrets can be read.
func (d *doctor) masterKey(ctx context.Context, st *store.Store) {
	path := filepath.Join(d.config.Data, "master.key")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		d.fail("master key", "Put the old file back: a server that starts without it makes a new one, which opens nothing.", "%s is missing", path)
		return
	}
	if err == nil {
		_, err = st.ServerKey(ctx)
	}
	switch {
	case errors.Is(err, store.NotFound("server_key", "")):
		d.warn("master key", "Start the server once.", "the console has no identity yet")
	case err != nil:
		d.fail("master key", "Put the file back that belongs to this database.", "it does not open what is sealed: %s", sentence(err))
	case info.Mode().Perm()&0o077 != 0:
		d.warn("master key", "chmod 600 "+path, "others may read %s", path)
	default:
		d.ok("master key", "opens what is sealed; keep a copy of %s in a place of its own", path)
	}
}

// imageFiles looks whether every version has its file.
func (d *doctor) imageFiles(ctx context.Context, st *store.Store) {
	uses, err := st.BlobUses(ctx)
	var blobs *blob.Folder
	if err == nil {
		blobs, err = blob.OpenFolder(filepath.Join(d.config.Data, "blobs"), time.Now())
	}
	if err != nil {
		d.fail("image files", "", "%v", err)
		return
	}
	var missing []string
	used := 0
	for digest, b := range uses {
		if !b.Used {
			continue
		}
		used++
		if r, err := blobs.Record(ctx, digest); err != nil || r.Bytes != b.Bytes {
			missing = append(missing, digest)
		}
	}
	if len(missing) > 0 {
		d.fail("image files", "Copy them from a backup of the folder blobs, or upload the same files again.",
			"%d of %d are missing or too short: %s", len(missing), used, someOf(missing))
		return
	}
	d.ok("image files", "%d, all there", used)
}

// offlineFor is how long a host may be silent before it counts as away, and
// forgotten is when somebody should ask why.
const (
	offlineFor = time.Minute
	forgotten  = 7 * 24 * time.Hour
)

// mostHosts is how many hosts are looked at.
const mostHosts = 10_000

// hosts looks at most hosts, in the order of their names.
func (d *doctor) hosts(ctx context.Context, st *store.Store, most int) {
	hosts, err := hostsOf(ctx, st, most+1)
	if err != nil {
		d.fail("hosts", "", "%v", err)
		return
	}
	if len(hosts) == 0 {
		d.warn("hosts", "Enrol one: 'stickpress host enroll', or the console's page of hosts.", "there are none")
		return
	}
	more := len(hosts) > most
	hosts = hosts[:min(len(hosts), most)]
	now := st.Now()
	var away, old []string
	online := 0
	for i := range hosts {
		h := &hosts[i]
		seen := h.EnrolledAt
		if h.LastSeenAt != nil {
			seen = *h.LastSeenAt
		}
		switch {
		case h.Online(now, offlineFor):
			online++
		case now.Sub(seen) > forgotten:
			away = append(away, h.Name)
		}
		if h.ProtocolMax != 0 && (h.ProtocolMax < protocol.MinVersion || h.ProtocolMin > protocol.Version) {
			old = append(old, h.Name)
		}
	}
	if len(old) > 0 {
		d.fail("hosts", "Update their agents.", "%s cannot work with this server", someOf(old))
	}
	if len(away) > 0 {
		d.warn("hosts", "Start their agents, or revoke hosts that are gone.", "not heard of for a week: %s", someOf(away))
	}
	if more {
		d.warn("hosts", "The console's page of hosts has all of them.", "those after %s were not looked at: %d are the most", hosts[most-1].Name, most)
	}
	if len(old)+len(away) == 0 {
		d.ok("hosts", "%d, %d of them online", len(hosts), online)
	}
}

// hostsOf reads hosts page by page, as long as there are less than most.
func hostsOf(ctx context.Context, st *store.Store, most int) (all []store.Host, err error) {
	for len(all) < most {
		page := store.ByName{Limit: min(api.MaxPage, most-len(all))}
		if len(all) > 0 {
			page.After = all[len(all)-1].Name
		}
		some, err := st.Hosts(ctx, store.HostFilter{Page: page})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < page.Limit {
			break
		}
	}
	return all, nil
}

// someOf names things: the first, and how many more there are.
func someOf(names []string) string {
	text := strings.Join(names[:min(len(names), maxNamed)], ", ")
	if more := len(names) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// waiting looks at what should get on and does not.
func (d *doctor) waiting(ctx context.Context, st *store.Store) {
	w, err := st.Waiting(ctx, st.Now().Add(-stuckAfter))
	if err != nil {
		d.fail("work", "", "%v", err)
		return
	}
	if w.Attempts > 0 {
		d.warn("work", "Start the agents again: they report how it ended. If a host is gone for good, declare it lost on its page.",
			"under way on hosts that were not heard of for %s: %s", stuckAfter, counted(w.Attempts, "stick"))
	}
	if w.Due > 0 {
		d.warn("work", "Look whether a server runs, and into its log.", "due for more than %s: %s of background work", stuckAfter, counted(w.Due, "piece"))
	}
	if w.GivenUp > 0 {
		d.warn("work", "The server's log says why.", "given up: %s of background work", counted(w.GivenUp, "piece"))
	}
	if w == (store.Waiting{}) {
		d.ok("work", "nothing is stuck")
	}
}

func (d *doctor) lastBackup(ctx context.Context, st *store.Store) {
	const do = "Run 'stickpress admin backup' each night, and copy the folder blobs."
	at, err := st.LastAudit(ctx, string(api.UseBackup))
	back, failed := lastRestore(d.config.Data)
	now := st.Now()
	switch err = errors.Join(err, failed); {
	case err != nil:
		d.fail("backup", "", "%v", err)
	case back.RestoredAt.After(at): // what the history tells of is before it
		level, then := findingOK, ""
		if now.Sub(back.MadeAt) > backupOld {
			level, then = findingWarn, do
		}
		d.say(level, "backup", then, "none was made since this console was restored on %s, from the one of %s, which is %d hours old",
			back.RestoredAt.UTC().Format(time.DateOnly), back.MadeAt.UTC().Format("2006-01-02 15:04Z"), int(now.Sub(back.MadeAt).Hours()))
	case at.IsZero():
		d.warn("backup", do, "none was ever made")
	case now.Sub(at) > backupOld:
		d.warn("backup", do, "the last one is of %s", at.Format(time.DateOnly))
	default:
		d.ok("backup", "the last one is of %s", at.Format("2006-01-02 15:04Z"))
	}
}
