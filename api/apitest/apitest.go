// Package apitest sets up a console with real parts for tests of the doors: a
// database of its own, blob and upload folders, people of every role, small
// images made by wimlib and hosts with sticks.
//
// A test package that uses it says once
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
package apitest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/blob"
	"github.com/stickpress/stickpress/store/storetest"
)

// Fixture is a console and what it stands on.
type Fixture struct {
	*api.Console
	Store   *store.Store
	Blobs   *blob.Folder
	Staging *blob.Staging
	// Actors of every role; System may do everything.
	System, Admin, Helpdesk, Viewer api.Actor

	url string
	key []byte
}

// Conns bounds the connections of each console: many tests share one Postgres. 0
// is what a server has. Set it before the first Fixture.
var Conns int32 = 8

// Password is that of every person of a Fixture.
const Password = "correct horse battery"

// New sets up a console with its defaults made. Everything goes with the test.
func New(t testing.TB, change ...func(*api.Deps)) *Fixture {
	t.Helper()
	f := bare(t, change...)
	if err := f.EnsureDefaults(t.Context()); err != nil {
		t.Fatalf("make the defaults: %v", err)
	}
	f.Admin = f.actor(t, api.RoleAdmin)
	f.Helpdesk = f.actor(t, api.RoleHelpdesk)
	f.Viewer = f.actor(t, api.RoleViewer)
	return f
}

// Bare sets up a console on a fresh database: nobody and nothing is in it.
func Bare(t testing.TB, change ...func(*api.Deps)) (*api.Console, *store.Store) {
	t.Helper()
	f := bare(t, change...)
	return f.Console, f.Store
}

func bare(t testing.TB, change ...func(*api.Deps)) *Fixture {
	t.Helper()
	f := &Fixture{url: storetest.URL(t), key: make([]byte, store.MasterKeySize), System: api.System("test")}
	if _, err := rand.Read(f.key); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var err error
	if f.Blobs, err = blob.OpenFolder(filepath.Join(dir, "blobs"), time.Now()); err != nil {
		t.Fatal(err)
	}
	if f.Staging, err = blob.OpenStaging(filepath.Join(dir, "uploads"), time.Now); err != nil {
		t.Fatal(err)
	}
	f.Console, f.Store = f.Replica(t, change...)
	return f
}

// Replica starts one more console on the same database and folders.
func (f *Fixture) Replica(t testing.TB, change ...func(*api.Deps)) (*api.Console, *store.Store) {
	t.Helper()
	keys, err := store.NewKeyring(f.key)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	st, err := store.Open(context.Background(), f.url, store.Options{Keys: keys, Log: log, MaxConns: Conns})
	if err != nil {
		t.Fatal(err)
	}
	deps := api.Deps{Store: st, Blobs: f.Blobs, Staging: f.Staging, Logger: log}
	for _, c := range change {
		c(&deps)
	}
	console, err := api.New(deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = console.Run(ctx) // it ends with ctx
	}()
	t.Cleanup(func() {
		stop()
		<-done
		st.Close()
	})
	return console, st
}

// Asleep is the console of a Fixture that does nothing in the background, with a
// staging folder that no other has: a program that died leaves such a state.
// What it left, a Replica on the same folder takes up.
func (f *Fixture) Asleep(t testing.TB) *Fixture {
	t.Helper()
	g := *f
	var err error
	if g.Staging, err = blob.OpenStaging(filepath.Join(t.TempDir(), "uploads"), time.Now); err != nil {
		t.Fatal(err)
	}
	g.Console, err = api.New(api.Deps{Store: f.Store, Blobs: f.Blobs, Staging: g.Staging, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return &g
}

// actor makes a person of a role. The hash is none: those who must type a
// password are made by the tests of that.
func (f *Fixture) actor(t testing.TB, role api.Role) api.Actor {
	t.Helper()
	u, err := f.CreateUser(t.Context(), f.System, api.CreateUserInput{Login: string(role), Role: role})
	if err != nil {
		t.Fatal(err)
	}
	a, err := f.ActorForUser(t.Context(), api.Anonymous("en", "req", "192.0.2.1"), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wim is a small image file with three editions, made once per process.
var wim = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "apitest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	tree, path := filepath.Join(dir, "tree"), filepath.Join(dir, "install.wim")
	if err := os.MkdirAll(filepath.Join(tree, "Windows"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(tree, "Windows", "a.txt"), bytes.Repeat([]byte("a"), 100_000), 0o644); err != nil {
		return nil, err
	}
	const build = "--image-property=WINDOWS/VERSION/BUILD="
	for _, args := range [][]string{
		{"capture", tree, path, "Windows 11 Enterprise", "--compress=none", "--image-property=WINDOWS/ARCH=9", build + "26100"},
		{"append", tree, path, "Windows 11 ARM", "--image-property=WINDOWS/ARCH=12", build + "26100"},
		{"append", tree, path, "Windows 10 1607", "--image-property=WINDOWS/ARCH=9", build + "14393"},
	} {
		args = append(args, "--image-property=WINDOWS/EDITIONID=Enterprise", "--image-property=WINDOWS/VERSION/MAJOR=10",
			"--image-property=WINDOWS/VERSION/MINOR=0")
		cmd := exec.CommandContext(context.Background(), "wimlib-imagex", args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, &toolError{strings.Join(args, " "), out, err}
		}
	}
	return os.ReadFile(path)
})

type toolError struct {
	args string
	out  []byte
	err  error
}

func (e *toolError) Error() string {
	return "wimlib-imagex " + e.args + " (apt install wimtools): " + e.err.Error() + "\n" + string(e.out)
}

// WIM returns a small image file: edition 1 is for x86_64, edition 2 for arm64,
// edition 3 too old for sticks that call themselves removable.
func WIM(t testing.TB) []byte {
	t.Helper()
	raw, err := wim()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// LongWIM returns WIM as if so much were packed in it that it takes long to unpack.
func LongWIM(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "long.wim")
	if err := os.WriteFile(path, WIM(t), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"info", path, "1", "--image-property", "TOTALBYTES=4000000000"}
	if out, err := exec.CommandContext(t.Context(), "wimlib-imagex", args...).CombinedOutput(); err != nil {
		t.Fatal(&toolError{strings.Join(args, " "), out, err})
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Stage brings bytes into the staging folder, and returns the ID of the upload.
func (f *Fixture) Stage(t testing.TB, name string, raw []byte) string {
	t.Helper()
	whole, err := f.Staging.Receive(t.Context(), map[string]string{"filename": name}, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return whole.ID
}

// Upload brings bytes into the console as a finished upload.
func (f *Fixture) Upload(t testing.TB, name string, raw []byte) (api.Upload, error) {
	t.Helper()
	id := f.Stage(t, name, raw)
	u, err := f.UploadFinished(t.Context(), f.Admin, id)
	for err == nil && u.State == api.UploadInspecting {
		u, err = f.GetUpload(t.Context(), f.Admin, id)
	}
	return u, err
}

// Publish makes a version of WIM, and points the channel "stable" to it.
func (f *Fixture) Publish(t testing.TB, image, version string) api.Version {
	t.Helper()
	u, err := f.Upload(t, image+".wim", WIM(t))
	if err != nil {
		t.Fatal(err)
	}
	v, err := f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{
		UploadID: u.ID, Image: image, Version: version, Channel: api.DefaultChannel,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Bring brings WIM as a host does that captured it, and returns the ID of the
// version that it became.
func (f *Fixture) Bring(t testing.TB, ticket string) string {
	t.Helper()
	raw := WIM(t)
	up, err := f.HostUpload(t.Context(), ticket, protocol.UploadRequest{Bytes: int64(len(raw))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.HostUploadPiece(t.Context(), ticket, up.ID, 0, bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	out, err := f.HostPublish(t.Context(), ticket, up.ID, protocol.PublishRequest{SHA256: hex.EncodeToString(sum[:])})
	if err != nil {
		t.Fatal(err)
	}
	return out.VersionID
}

// Stick is a device as an agent describes it: 64 GB, with this port.
func Stick(port string) protocol.Device {
	return protocol.Device{
		Identity: protocol.Identity{
			Kind: protocol.KindVirtual, Port: port, Serial: "SN-" + port, Bytes: 64_000_000_000, Connection: 1,
		},
		Path: "/var/lib/sticks/" + port, Vendor: "Stickpress", Model: "Virtual", SectorSize: 512, Removable: true,
	}
}

// Image is a disk image as an agent describes it, which may be captured.
func Image(path string) protocol.Device {
	return protocol.Device{
		Identity:   protocol.Identity{Kind: protocol.KindFile, Port: path, Bytes: 8 << 30, Connection: 7},
		Path:       path,
		SectorSize: 512,
	}
}

// Host is an enrolled host with its key.
type Host struct {
	ID        string
	Key       ed25519.PrivateKey
	ServerKey ed25519.PublicKey
}

// Enroll makes a host that was never connected.
func (f *Fixture) Enroll(t testing.TB, name string) Host {
	t.Helper()
	return f.EnrollFrom(t, name, "192.0.2.9")
}

// EnrollFrom is Enroll from an address: of one only some are taken.
func (f *Fixture) EnrollFrom(t testing.TB, name, address string) Host {
	t.Helper()
	e, err := f.CreateEnrolment(t.Context(), f.Admin, api.CreateEnrolmentInput{})
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.EnrollHost(t.Context(), api.Anonymous("", "", address), protocol.EnrollRequest{
		Token: e.Token, Name: name, PublicKey: public, Version: "test", OS: "linux", Arch: "amd64",
	})
	if err != nil {
		t.Fatal(err)
	}
	return Host{ID: r.HostID, Key: private, ServerKey: r.ServerKey}
}

// Hello is what the host says first, without its proof.
func (h *Host) Hello() *protocol.Hello {
	return &protocol.Hello{
		HostID: h.ID, ProtocolMin: protocol.MinVersion, ProtocolMax: protocol.Version, Version: "test", OS: "linux", Arch: "amd64",
		Hostname: "bench", Capabilities: []string{protocol.CapPress, protocol.CapRaw, protocol.CapVerify, protocol.CapWipe, protocol.CapCapture, protocol.CapVirtual},
	}
}

// Connect enrols a host and opens a session for it without a socket, with
// these devices in its inventory.
func (f *Fixture) Connect(t testing.TB, name string, devices ...protocol.Device) (Host, api.HostSession) {
	t.Helper()
	h := f.Enroll(t, name)
	s, err := f.HostConnected(t.Context(), h.Hello())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.HostInventory(t.Context(), s, &protocol.Inventory{Devices: devices}); err != nil {
		t.Fatal(err)
	}
	return h, s
}

// Order is the request for these devices of a host, as a helpdesk sends it.
func Order(image, host string, devices ...protocol.Device) api.QueueJobInput {
	in := api.QueueJobInput{Image: image, Host: host}
	for _, d := range devices {
		in.Devices = append(in.Devices, api.QueueDevice{Identity: d.Identity})
	}
	return in
}
