package store_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	st := open(t)
	ctx := t.Context()
	f := store.UserFields{Login: "Ada", Name: "Ada", Role: store.RoleAdmin, PasswordHash: "$argon2id$"}
	ada := in(t, st, func(tx *store.Tx) (store.User, error) { return tx.CreateFirstUser(ctx, f) })
	_, err := try(ctx, st, func(tx *store.Tx) (store.User, error) { return tx.CreateFirstUser(ctx, f) })
	wantCode(t, err, store.CodeSetupDone)
	_, err = try(ctx, st, func(tx *store.Tx) (store.User, error) {
		return tx.CreateUser(ctx, store.UserFields{Login: "aDA", Role: store.RoleViewer})
	})
	wantCode(t, err, store.CodeNameTaken)
	_, err = try(ctx, st, func(tx *store.Tx) (store.User, error) {
		return tx.CreateUser(ctx, store.UserFields{Login: "bob", Role: "king"})
	})
	wantCode(t, err, store.CodeValueInvalid)
	if got, err := st.UserByLogin(ctx, "ADA"); err != nil || got.ID != ada.ID || got.PasswordHash != f.PasswordHash {
		t.Errorf("by login: %+v, %v", got, err)
	}
	_, err = st.UserByLogin(ctx, "eve")
	wantCode(t, err, "user_not_found")
	if list, err := st.Users(ctx, store.UserFilter{}); err != nil || len(list) != 1 || list[0].DisabledAt != nil {
		t.Errorf("users %+v, %v", list, err)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	if !store.RoleAdmin.Includes(store.RoleViewer) || store.RoleViewer.Includes(store.RoleHelpdesk) ||
		store.Role("king").Includes(store.RoleViewer) || store.Least(store.RoleAdmin, store.RoleViewer) != store.RoleViewer ||
		store.Least(store.RoleViewer, store.RoleAdmin) != store.RoleViewer {
		t.Error("roles do not include each other in order")
	}
}

func TestOneTimeTokenWorksOnce(t *testing.T) {
	t.Parallel()
	st := open(t)
	ctx := t.Context()
	make := func(lifetime time.Duration) string {
		return in(t, st, func(tx *store.Tx) (string, error) {
			secret, _, err := tx.CreateOneTimeToken(ctx, store.NewOneTimeToken{
				Purpose: store.PurposeEnroll, SiteID: store.DefaultSite, Lifetime: lifetime, By: store.System,
			})
			return secret, err
		})
	}
	use := func(purpose store.Purpose, secret string) error {
		token, err := try(ctx, st, func(tx *store.Tx) (store.OneTimeToken, error) {
			return tx.UseOneTimeToken(ctx, purpose, secret)
		})
		if err == nil && token.SiteID != store.DefaultSite {
			t.Errorf("token %+v", token)
		}
		return err
	}
	secret := make(time.Hour)
	wantCode(t, use(store.PurposeSetup, secret), store.CodeTokenInvalid)
	wantCode(t, use(store.PurposeEnroll, secret+"x"), store.CodeTokenInvalid)
	wantCode(t, use(store.PurposeEnroll, make(-time.Second)), store.CodeTokenInvalid)
	var mu sync.Mutex
	var wg sync.WaitGroup
	used := 0
	for range 6 {
		wg.Go(func() {
			err := use(store.PurposeEnroll, secret)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				used++
			} else {
				wantCode(t, err, store.CodeTokenInvalid)
			}
		})
	}
	wg.Wait()
	if used != 1 {
		t.Errorf("used %d times", used)
	}
	if n, err := st.DropExpired(ctx); err != nil || n != 1 {
		t.Errorf("dropped %d, %v", n, err)
	}
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	user := store.UserID(w.by.ID)
	var tok store.APIToken
	secret := in(t, w.Store, func(tx *store.Tx) (secret string, err error) {
		secret, tok, err = tx.CreateAPIToken(ctx, store.NewAPIToken{Name: "ci", UserID: user, Role: store.RoleHelpdesk})
		return secret, err
	})
	got, owner, err := w.APITokenBySecret(ctx, secret, w.Now())
	if err != nil || got.ID != tok.ID || owner.ID != user {
		t.Errorf("%+v of %+v, %v", got, owner, err)
	}
	if err := w.TouchAPIToken(ctx, &tok); err != nil {
		t.Error(err)
	}
	list, err := w.APITokens(ctx, store.APITokenFilter{UserID: user})
	if err != nil || len(list) != 1 || list[0].LastUsedAt == nil || list[0].LastUsedAt.Before(list[0].CreatedAt) {
		t.Errorf("tokens %+v, %v", list, err)
	}
	in(t, w.Store, func(tx *store.Tx) (store.APIToken, error) { return tx.RevokeAPIToken(ctx, tok.ID) })
	_, _, err = w.APITokenBySecret(ctx, secret, w.Now())
	wantCode(t, err, store.CodeTokenInvalid)
}

func TestDiskImages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	n := store.NewVersion{ImageID: w.version.ImageID, Version: "2.0.0", SHA256: w.version.SHA256, Bytes: 5, Format: "vhdx", By: w.by}
	if _, err := try(ctx, w.Store, func(tx *store.Tx) (store.Version, error) { return tx.CreateVersion(ctx, n) }); err == nil {
		t.Error("a VHDX without a disk was stored")
	}
	n.Disk = &store.Disk{Bytes: 1 << 20, SectorSize: 512, Table: "gpt", DiskID: "x", Starts: true}
	v := in(t, w.Store, func(tx *store.Tx) (store.Version, error) { return tx.CreateVersion(ctx, n) })
	if v.Disk == nil || *v.Disk != *n.Disk || w.version.Disk != nil {
		t.Errorf("disk %+v, of a WIM %+v", v.Disk, w.version.Disk)
	}
	_, err := w.BlockMap(ctx, v.ID)
	wantCode(t, err, "block_map_not_found")
	m := store.BlockMap{ImageVersionID: v.ID, Body: "<bmap/>", Ranges: []protocol.Range{{Offset: 0, Length: 4096}}, MappedBytes: 4096}
	in(t, w.Store, func(tx *store.Tx) (store.BlockMap, error) { return tx.PutBlockMap(ctx, m) })
	m.MappedBytes, m.Ranges = 8192, []protocol.Range{{Offset: 0, Length: 8192}}
	put := in(t, w.Store, func(tx *store.Tx) (store.BlockMap, error) { return tx.PutBlockMap(ctx, m) })
	if put.Trusted || put.MappedBytes != 8192 || put.Ranges[0].Length != 8192 {
		t.Errorf("block map %+v", put)
	}
	in(t, w.Store, func(tx *store.Tx) (store.BlockMap, error) { return tx.TrustBlockMap(ctx, v.ID, true) })
	if found, err := w.BlockMap(ctx, v.ID); err != nil || !found.Trusted || found.Body != m.Body {
		t.Errorf("block map %+v, %v", found, err)
	}
}

func TestImagesVersionsChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	v := w.version
	if v.Editions[0].Name != "Enterprise" || v.State != store.VersionPublished || v.CreatedByID != w.by.ID {
		t.Errorf("version %+v", v)
	}
	again := store.NewVersion{ImageID: v.ImageID, Version: v.Version, SHA256: v.SHA256, Bytes: 5, Format: "wim", By: w.by}
	_, err := try(ctx, w.Store, func(tx *store.Tx) (store.Version, error) { return tx.CreateVersion(ctx, again) })
	wantCode(t, err, store.CodeVersionExists)
	again.Version, again.SHA256 = "1.0.1", strings.Repeat("00", 32)
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.Version, error) { return tx.CreateVersion(ctx, again) })
	wantCode(t, err, store.CodeReferenceMissing)
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.Image, error) {
		return tx.CreateImage(ctx, store.ImageFields{Name: "Not A Name"})
	})
	wantCode(t, err, store.CodeNameInvalid)
	other := in(t, w.Store, func(tx *store.Tx) (store.Image, error) {
		return tx.CreateImage(ctx, store.ImageFields{Name: "a-first"})
	})
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.Channel, error) {
		return tx.CreateChannel(ctx, other.ID, "stable", v.ID)
	})
	wantCode(t, err, store.CodeVersionOfOther)
	ch := in(t, w.Store, func(tx *store.Tx) (store.Channel, error) {
		return tx.CreateChannel(ctx, v.ImageID, "stable", v.ID)
	})
	ch = in(t, w.Store, func(tx *store.Tx) (store.Channel, error) { return tx.PointChannel(ctx, ch.ID, ch.Revision, v.ID) })
	if found, err := w.ChannelByName(ctx, v.ImageID, "stable"); err != nil || found != ch {
		t.Errorf("channel %+v, %v", found, err)
	}
	if list, err := w.Channels(ctx); err != nil || len(list) != 1 {
		t.Errorf("channels %+v, %v", list, err)
	}
	images, err := w.Images(ctx, "", store.ByName{Limit: 1})
	if err != nil || len(images) != 1 || images[0].Name != "a-first" {
		t.Errorf("images %+v, %v", images, err)
	}
	images, err = w.Images(ctx, "", store.ByName{After: "a-first"})
	if err != nil || len(images) != 1 || images[0].Name != "win11-ent" {
		t.Errorf("images %+v, %v", images, err)
	}
	versions, err := w.Versions(ctx, store.VersionFilter{ImageID: v.ImageID})
	if err != nil || len(versions) != 1 {
		t.Errorf("versions %+v, %v", versions, err)
	}
	if byID, err := w.VersionsByID(ctx, []store.VersionID{v.ID, {1}}); err != nil || len(byID) != 1 {
		t.Errorf("versions %+v, %v", byID, err)
	}
	if found, err := w.VersionByNumber(ctx, v.ImageID, "1.0.0"); err != nil || found.ID != v.ID {
		t.Errorf("version %+v, %v", found, err)
	}
	rec, err := w.BlobRecord(ctx, v.SHA256)
	if err != nil || rec.Bytes != 5 || len(rec.Blocks) != 1 || rec.Blocks[0] != v.SHA256 {
		t.Errorf("blob %+v, %v", rec, err)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	body := []byte("<unattend><Password>hunter2</Password></unattend>")
	tpl := in(t, w.Store, func(tx *store.Tx) (store.Template, error) { return tx.CreateTemplate(ctx, "Office", "") })
	_, err := w.NewestTemplateVersion(ctx, tpl.ID)
	wantCode(t, err, "template_version_not_found")
	add := func(revision int64) (store.TemplateVersion, error) {
		return try(ctx, w.Store, func(tx *store.Tx) (store.TemplateVersion, error) {
			return tx.AddTemplateVersion(ctx, tpl.ID, revision, body, w.by)
		})
	}
	first, err := add(tpl.Revision)
	if err != nil {
		t.Fatal(err)
	}
	_, err = add(tpl.Revision)
	wantCode(t, err, store.CodeStale)
	second, err := add(tpl.Revision + 1)
	if err != nil || first.Number != 1 || second.Number != 2 {
		t.Errorf("versions %+v, %+v, %v", first, second, err)
	}
	got, err := w.TemplateBody(ctx, second.ID)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("body %q, %v", got, err)
	}
	var stored []byte
	if err := w.Pool().QueryRow(ctx, `SELECT body FROM unattend_template_versions LIMIT 1`).Scan(&stored); err != nil ||
		bytes.Contains(stored, []byte("hunter2")) {
		t.Errorf("the password lies open (%v)", err)
	}
	seq, err := w.Sequence(ctx, w.sequence.TaskSequenceID)
	if err != nil {
		t.Fatal(err)
	}
	f := w.sequence.SequenceFields
	f.TemplateVersionID = second.ID
	next := in(t, w.Store, func(tx *store.Tx) (store.SequenceVersion, error) {
		return tx.AddSequenceVersion(ctx, seq.ID, seq.Revision, f, w.by)
	})
	if next.Number != 2 || next.TemplateVersionID != second.ID {
		t.Errorf("task sequence version %+v", next)
	}
	f.Layout = "floppy"
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.SequenceVersion, error) {
		return tx.AddSequenceVersion(ctx, seq.ID, seq.Revision+1, f, w.by)
	})
	wantCode(t, err, store.CodeValueInvalid)
	newest, err := w.NewestSequenceVersion(ctx, seq.ID)
	if err != nil || newest != next {
		t.Errorf("newest %+v, %v", newest, err)
	}
}

func TestServerKeyIsOne(t *testing.T) {
	t.Parallel()
	st := open(t)
	keys := make([]store.ServerKey, 4)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := st.EnsureServerKey(t.Context())
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k.ID != keys[0].ID || !k.Private.Equal(keys[0].Private) || !k.Public.Equal(k.Private.Public()) {
			t.Errorf("replicas have different identities: %s, %s", k.ID, keys[0].ID)
		}
	}
}

func TestUploadOutcome(t *testing.T) {
	t.Parallel()
	st := open(t)
	ctx := t.Context()
	type outcome struct{ Name string }
	known := func(upload string) (o outcome, err error) {
		err = st.UploadOutcome(ctx, upload, &o)
		return o, err
	}
	keep := func(upload, name string) {
		t.Helper()
		if err := st.InTx(ctx, func(tx *store.Tx) error { return tx.KeepUploadOutcome(ctx, upload, outcome{name}) }); err != nil {
			t.Fatal(err)
		}
	}
	_, err := known("a")
	wantCode(t, err, "upload_not_found")
	keep("a", "first\x00")
	keep("b", "other")
	if o, err := known("a"); err != nil || o.Name != "first\x00" {
		t.Errorf("%+v, %v", o, err)
	}
	keep("a", "second")
	if o, err := known("a"); err != nil || o.Name != "second" {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := st.Pool().Exec(ctx, `UPDATE upload_outcomes SET expires_at = created_at WHERE upload = 'a'`); err != nil {
		t.Fatal(err)
	}
	_, err = known("a")
	wantCode(t, err, "upload_not_found")
	if _, err := st.DropExpired(ctx); err != nil {
		t.Fatal(err)
	}
	var left []string
	if err := st.Pool().QueryRow(ctx, `SELECT array_agg(upload) FROM upload_outcomes`).Scan(&left); err != nil || len(left) != 1 || left[0] != "b" {
		t.Errorf("%v, %v", left, err)
	}
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	for i := range 3 {
		in(t, w.Store, none(func(tx *store.Tx) error {
			by := w.by
			by.RequestID, by.Address = "req-1", "192.0.2.1"
			return tx.Audit(ctx, store.NewAudit{
				By: by, Action: "site.rename", ObjectKind: "site", ObjectID: store.DefaultSite.String(),
				Before: map[string]int{"n": i}, After: map[string]string{"name": "x\x00y"},
			})
		}))
	}
	list, err := w.AuditLog(ctx, store.AuditFilter{ObjectKind: "site", Page: store.AuditPage{Limit: 2}})
	if err != nil || len(list) != 2 || list[0].RequestID != "req-1" || list[0].After == nil {
		t.Fatalf("log %+v, %v", list, err)
	}
	rest, err := w.AuditLog(ctx, store.AuditFilter{ObjectKind: "site", Page: store.AuditPage{Before: list[1].ID}})
	if err != nil || len(rest) != 1 {
		t.Errorf("rest %+v, %v", rest, err)
	}
}

func TestHostsSayWhatTheySee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	d := device(1)
	d.Model = "nul \x00"
	err := w.SetInventory(ctx, w.host.ID, w.host.Session, &protocol.Inventory{Devices: []protocol.Device{d}, CacheBytes: 9})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.SetInventory(ctx, w.host.ID, w.host.Session-1, &protocol.Inventory{}), store.CodeSessionStale)
	host, err := w.Host(ctx, w.host.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := host.Device("1-1", 0)
	if !ok || got.Model != "nul \uFFFD" || host.CacheBytes != 9 {
		t.Errorf("host %+v", host)
	}
	if !host.Online(w.Now(), time.Minute) || host.Online(w.Now().Add(time.Hour), time.Minute) {
		t.Error("online does not follow what was heard last")
	}
	p := &protocol.Progress{Attempts: []protocol.AttemptProgress{{Step: protocol.StepWrite, Done: 1, Total: 2}}}
	if err := w.PutProgress(ctx, host.ID, host.Session, p); err != nil {
		t.Fatal(err)
	}
	if err := w.PutProgress(ctx, host.ID, host.Session-1, &protocol.Progress{}); err != nil {
		t.Fatal(err)
	}
	progress, err := w.Progress(ctx, host.ID)
	if err != nil || len(progress) != 1 || len(progress[0].Attempts) != 1 {
		t.Errorf("progress %+v, %v", progress, err)
	}
	if err := w.Heartbeat(ctx, host.ID, host.Session); err != nil {
		t.Error(err)
	}
	in(t, w.Store, none(func(tx *store.Tx) error { return tx.DisconnectHost(ctx, host.ID, host.Session-1) }))
	in(t, w.Store, none(func(tx *store.Tx) error { return tx.DisconnectHost(ctx, host.ID, host.Session) }))
	hosts, err := w.Hosts(ctx, store.HostFilter{Sites: []store.SiteID{store.DefaultSite}})
	if err != nil || len(hosts) != 1 || hosts[0].DisconnectedAt == nil {
		t.Errorf("hosts %+v, %v", hosts, err)
	}
	if site, err := w.Site(ctx, host.SiteID); err != nil || site.ID != store.DefaultSite || !site.IsDefault {
		t.Errorf("site %+v, %v", site, err)
	}
}
