package api

import (
	"context"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Version is one immutable version of an image.
type Version struct {
	ID          string    `json:"id"`
	ImageID     string    `json:"image_id"`
	ImageName   string    `json:"image_name"`
	Version     string    `json:"version"` // SemVer
	State       string    `json:"state"`   // "published", "superseded", "withdrawn"
	Commit      string    `json:"commit"`
	Notes       string    `json:"notes"`
	Format      string    `json:"format"` // "wim", "esd"; disk images: "raw", "iso", "vhd", "vhdx"
	SHA256      string    `json:"sha256"`
	Bytes       int64     `json:"bytes"` // of the file
	FileName    string    `json:"file_name"`
	Editions    []Edition `json:"editions"`
	Disk        *Disk     `json:"disk,omitempty"`          // of disk images
	BlockMap    *BlockMap `json:"block_map,omitempty"`     // of disk images that have one
	Channels    []string  `json:"channels"`                // that point to it now
	SourceJobID string    `json:"source_job_id,omitempty"` // that captured it
	PublishedBy string    `json:"published_by"`
	PublishedAt time.Time `json:"published_at"`
	Revision    int64     `json:"revision"`
}

// Edition is one index of a WIM or ESD.
type Edition = store.Edition

// Disk is what a disk image becomes on a stick.
type Disk = store.Disk

// PublishVersionInput makes a file that is in the store already into a version.
type PublishVersionInput struct {
	UploadID string // a finished upload; or
	SHA256   string // a file that the store holds
	Image    string // name or ID; made if no image has this name
	Version  string // SemVer, unique within the image
	Commit   string // source commit, may be empty
	Notes    string
	Channel  string // set to the new version if not empty
}

// WithdrawVersionInput takes a version out of use.
type WithdrawVersionInput struct {
	ID       string
	Reason   string
	Revision int64 // of the version as seen; 0 does not check
}

// VersionFilter narrows ListVersions; empty fields do not.
type VersionFilter struct {
	Image  string // name or ID
	State  string
	Format string
	Search string // how its number, its commit or its digest begins, whatever its case
}

// VersionFields are the fields of a VersionFilter.
var VersionFields = []Field[VersionFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "How its number, its commit or its digest begins, whatever its case."}, func(f *VersionFilter) *string { return &f.Search }},
	{FieldInfo{Name: "image", Kind: FieldThing, Object: "image", Doc: "ID or name of an image."}, func(f *VersionFilter) *string { return &f.Image }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{"published", "superseded", "withdrawn"}, Doc: "Where it is in its life."}, func(f *VersionFilter) *string { return &f.State }},
	{FieldInfo{Name: "format", Kind: FieldChoice, Values: store.Formats, Doc: "The format of its file."}, func(f *VersionFilter) *string { return &f.Format }},
}

// ListVersions lists versions, newest first. Faults: those of FieldInfo.Check,
// image_not_found.
func (c *Console) ListVersions(ctx context.Context, a Actor, f VersionFilter, p Page) (List[Version], error) {
	if err := allow(a, UseGetImage); err != nil {
		return List[Version]{}, err
	}
	if err := checkFilter(VersionFields, &f); err != nil {
		return List[Version]{}, err
	}
	query := store.VersionFilter{State: store.VersionState(f.State), Format: f.Format, Search: f.Search}
	var err error
	if query.ImageID, err = c.imageField(ctx, f.Image); err != nil {
		return List[Version]{}, err
	}
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.VersionID](p); err != nil {
		return List[Version]{}, err
	}
	rows, err := c.store.Versions(ctx, query)
	if err != nil {
		return List[Version]{}, err
	}
	rows, l := cut[store.Version, Version](p, rows, func(v store.Version) string { return v.ID.String() })
	l.Items, err = versionsOf(ctx, c.store.Reader, rows)
	return l, err
}

// newestOf is how many versions of each image NewestVersions returns.
const newestOf = 50

// NewestVersions returns what can be pressed of some images (IDs): of each the newest
// versions that are not withdrawn, in no order. Faults: image_not_found.
func (c *Console) NewestVersions(ctx context.Context, a Actor, images []string) ([]Version, error) {
	if err := allow(a, UseGetImage); err != nil {
		return nil, err
	}
	ids, err := parseAll[store.ImageID]("image", images)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.NewestVersions(ctx, ids, newestOf)
	if err != nil {
		return nil, err
	}
	return versionsOf(ctx, c.store.Reader, rows)
}

// GetVersion returns a version by ID. Faults: image_version_not_found.
func (c *Console) GetVersion(ctx context.Context, a Actor, id string) (Version, error) {
	return c.FindVersion(ctx, a, "", id, "")
}

// FindVersion returns a version by ID, an image's version by SemVer, or, when
// version is empty, what the image's channel points to (DefaultChannel if that
// is empty too).
// Faults: image_not_found, image_version_not_found, channel_not_found.
func (c *Console) FindVersion(ctx context.Context, a Actor, image, version, channel string) (Version, error) {
	if err := allow(a, UseGetImage); err != nil {
		return Version{}, err
	}
	v, err := findVersion(ctx, c.names(), image, version, channel)
	if err != nil {
		return Version{}, err
	}
	views, err := versionsOf(ctx, c.store.Reader, []store.Version{v})
	if err != nil {
		return Version{}, err
	}
	return views[0], nil
}

// findVersion is FindVersion for rows.
func findVersion(ctx context.Context, n *names, image, version, channel string) (store.Version, error) {
	r := n.r
	if id, err := store.ParseID[store.VersionID](version); err == nil {
		v, err := r.Version(ctx, id)
		if err != nil || image == "" {
			return v, err
		}
		i, err := findImage(ctx, r, image)
		if err == nil && i.ID != v.ImageID {
			err = store.NotFound("image_version", version)
		}
		return v, err
	}
	if image == "" {
		return store.Version{}, store.NotFound("image_version", version)
	}
	if version == "" {
		if channel == "" {
			channel = DefaultChannel
		}
		found, err := r.ResolveChannel(ctx, image, channel)
		n.tell(found.Image.ID.String(), found.Image.Name)
		return found.Version, err
	}
	i, err := findImage(ctx, r, image)
	if err != nil {
		return store.Version{}, err
	}
	n.tell(i.ID.String(), i.Name)
	v, err := r.VersionByNumber(ctx, i.ID, version)
	return v, err
}

// VersionNumber is the number of a version as it is kept: Semantic Versioning
// 2.0.0, nothing left out. Faults: version_invalid.
func VersionNumber(text string) (string, error) {
	number, err := semver.StrictNewVersion(text)
	if err != nil {
		return "", fault.Wrap(err, fault.KindInvalid, CodeVersionInvalid, "version", text).At("version")
	}
	return number.String(), nil
}

// checkNewVersion checks what a version that is to be made is called, all of it: its
// image, which may not be there yet, its number in it, and the channel that is to
// point to it, if any. It returns the number and the image's name as they are kept.
// Faults: name_invalid, version_invalid, version_exists.
func checkNewVersion(ctx context.Context, r store.Reader, ref, version, channel string) (number, image string, err error) {
	number, wrongNumber := VersionNumber(version)
	var wrongImage, wrongChannel error
	found, err := findImage(ctx, r, ref)
	switch {
	case err == nil:
		ref = found.Name
		if wrongNumber == nil {
			wrongNumber = checkUnpublished(ctx, r, found.ID, number)
		}
	case !isNotFound(err, "image"):
		return "", "", err
	case !imageForm.MatchString(ref):
		wrongImage = fault.New(fault.KindInvalid, store.CodeNameInvalid, "kind", "image").At("image")
	}
	if channel != "" && !imageForm.MatchString(channel) {
		wrongChannel = fault.New(fault.KindInvalid, store.CodeNameInvalid, "kind", "channel").At("channel")
	}
	return number, ref, fault.All(wrongImage, wrongNumber, wrongChannel)
}

// checkUnpublished refuses a version that is there already.
func checkUnpublished(ctx context.Context, r store.Reader, image store.ImageID, number string) error {
	_, err := r.VersionByNumber(ctx, image, number)
	switch {
	case err == nil:
		return fault.New(fault.KindConflict, store.CodeVersionExists, "version", number).At("version")
	case isNotFound(err, "image_version"):
		return nil
	}
	return err
}

// PublishVersion makes a version of a file (admin). Faults: upload_not_found,
// blob_not_found, name_invalid, version_invalid, version_exists, and those of
// UploadFinished.
func (c *Console) PublishVersion(ctx context.Context, a Actor, in PublishVersionInput) (Version, error) {
	if err := allow(a, UsePublishVersion); err != nil {
		return Version{}, err
	}
	number, _, err := checkNewVersion(ctx, c.store.Reader, in.Image, in.Version, in.Channel)
	if err != nil {
		return Version{}, err
	}
	file, err := c.fileOf(ctx, a, in)
	if err != nil {
		return Version{}, err
	}
	var out Version
	err = c.change(ctx, a, UsePublishVersion, func(tx *store.Tx, by store.Actor) error {
		out, err = publish(ctx, tx, by, UsePublishVersion, newVersion{
			file: file, image: in.Image, number: number, commit: in.Commit, notes: in.Notes, channel: in.Channel, by: by,
		})
		if err != nil || in.UploadID == "" {
			return err
		}
		version, err := parse[store.VersionID]("image_version", out.ID)
		if err != nil {
			return err
		}
		return tx.PublishInspection(ctx, in.UploadID, version) // if there was one
	})
	return out, err
}

// WithdrawVersion stops a version from being used in new jobs (admin);
// withdrawing it again changes nothing.
// Faults: image_version_not_found, version_in_channel (channels), stale.
func (c *Console) WithdrawVersion(ctx context.Context, a Actor, in WithdrawVersionInput) (Version, error) {
	id, err := parse[store.VersionID]("image_version", in.ID)
	if err != nil {
		return Version{}, err
	}
	var out Version
	err = c.change(ctx, a, UseWithdrawVersion, func(tx *store.Tx, by store.Actor) error {
		v, err := tx.Version(ctx, id)
		if err != nil {
			return err
		}
		before, err := versionsOf(ctx, tx.Reader, []store.Version{v})
		if err != nil {
			return err
		}
		out = before[0]
		if v.State == store.VersionWithdrawn {
			return nil
		}
		if len(out.Channels) > 0 {
			return fault.New(fault.KindConflict, CodeVersionInChannel, "version", v.Version, "channels", strings.Join(out.Channels, ", "))
		}
		if v, err = tx.SetVersionState(ctx, id, seen(in.Revision, v.Revision), store.VersionWithdrawn); err != nil {
			return err
		}
		out.State, out.Revision = string(v.State), v.Revision
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseWithdrawVersion), ObjectKind: "image_version", ObjectID: in.ID,
			Before: before[0], After: map[string]string{"state": out.State, "reason": in.Reason},
		})
	})
	return out, err
}

// Absent is the revision of what was seen not to be there yet. It is no
// revision of anything that is there.
const Absent int64 = -1

// seen is the revision to check: the one that the caller saw, or with 0 the
// current one. What is not there has the revision 0.
func seen(caller, current int64) int64 {
	switch caller {
	case 0:
		return current
	case Absent:
		return 0
	}
	return caller
}

// versionsOf adds to versions what a page shows beside them.
func versionsOf(ctx context.Context, r store.Reader, rows []store.Version) ([]Version, error) {
	n := &names{r: r}
	var images []store.ImageID
	for _, v := range rows {
		images = append(images, v.ImageID)
	}
	pointing := map[store.VersionID][]string{}
	if len(images) > 0 {
		channels, err := r.Channels(ctx, images...)
		if err != nil {
			return nil, err
		}
		for _, ch := range channels {
			pointing[ch.ImageVersionID] = append(pointing[ch.ImageVersionID], ch.Name)
		}
	}
	maps, err := blockMapsOf(ctx, r, rows)
	if err != nil {
		return nil, err
	}
	out := make([]Version, 0, len(rows))
	for _, v := range rows {
		image, err := n.image(ctx, v.ImageID)
		if err != nil {
			return nil, err
		}
		by, err := n.actor(ctx, v.CreatedByKind, v.CreatedByID)
		if err != nil {
			return nil, err
		}
		out = append(out, Version{
			ID: v.ID.String(), ImageID: v.ImageID.String(), ImageName: image, Version: v.Version, State: string(v.State),
			Commit: v.SourceCommit, Notes: v.Notes, Format: v.Format, SHA256: v.SHA256, Bytes: v.Bytes, FileName: v.FileName,
			Editions: v.Editions, Disk: v.Disk, SourceJobID: v.SourceJobID.String(), BlockMap: maps[v.ID], Channels: append([]string{}, pointing[v.ID]...), PublishedBy: by, PublishedAt: v.CreatedAt, Revision: v.Revision,
		})
	}
	return out, nil
}

// newVersion is what publish makes a version of.
type newVersion struct {
	file
	image, number, commit, notes, channel string
	job                                   store.JobID // that captured it, or zero
	by                                    store.Actor
}

// publish makes a version of a file that the store has, in an image that is
// made if there is none of that name, and points a channel at it. by is who
// does it, n.by whose version it is.
func publish(ctx context.Context, tx *store.Tx, by store.Actor, u UseCase, n newVersion) (Version, error) {
	image, err := findImage(ctx, tx.Reader, n.image)
	if isNotFound(err, "image") {
		image, err = createImage(ctx, tx, by, u, store.ImageFields{Name: n.image})
		err = fault.RenamedTo(err, "image")
	}
	if err != nil {
		return Version{}, err
	}
	v, err := tx.CreateVersion(ctx, store.NewVersion{
		ImageID: image.ID, Version: n.number, SourceCommit: strings.TrimSpace(n.commit), SHA256: n.SHA256, Bytes: n.Bytes,
		Format: n.Format, FileName: n.FileName, Editions: n.Editions, Disk: n.Disk, Notes: n.notes, SourceJobID: n.job, By: n.by,
	})
	if err != nil {
		return Version{}, err
	}
	if n.channel != "" {
		if _, err := setChannel(ctx, tx, by, image.ID, n.channel, v.ID, 0); err != nil {
			return Version{}, err
		}
	}
	views, err := versionsOf(ctx, tx.Reader, []store.Version{v})
	if err != nil {
		return Version{}, err
	}
	return views[0], tx.Audit(ctx, store.NewAudit{
		By: by, Action: string(u), ObjectKind: "image_version", ObjectID: views[0].ID, After: views[0],
	})
}
