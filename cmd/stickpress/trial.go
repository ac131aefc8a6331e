package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

// stickBytes is the size of a virtual stick: a stick sold as "64 GB".
const stickBytes = 64_000_000_000

// trialLogin is the admin of a trial. It has no password; links sign it in.
const trialLogin = "trial"

// trial is the whole product on one machine: console, agent, virtual sticks.
type trial struct {
	data, listen, layout, image string
	edition, sticks             int
	exit                        bool

	out    io.Writer
	server *server
	client *client.Client
}

func trialCommand(environ []string) *cobra.Command {
	t := &trial{}
	cmd := &cobra.Command{
		Use:   "trial",
		Short: "Presses virtual sticks on this machine, from image to verified stick",
		Long: `Runs the whole product on this machine: a private Postgres, the console, an
agent with virtual sticks (sparse files), a sample image made on the spot or
yours. It publishes the image, queues a job for every stick, shows it live and
ends with a table. No disk of this machine is written.

Exit status: 0 if every stick was verified, 3 if one was not, 1 if it failed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t.out = cmd.OutOrStdout()
			return t.run(cmd, environ)
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.data, "data", "data", "folder for everything that the trial makes")
	f.StringVar(&t.listen, "listen", "127.0.0.1:8080", "HOST:PORT of the console")
	f.StringVar(&t.layout, "layout", protocol.LayoutMBRDual, protocol.LayoutMBRDual+" or "+protocol.LayoutGPTUEFI)
	f.StringVar(&t.image, "image", "", "WIM or ESD to press; empty makes a sample")
	f.IntVar(&t.edition, "edition", 1, "index of the edition inside the image")
	f.IntVar(&t.sticks, "sticks", 2, "how many virtual sticks to press, 1 to 32")
	f.BoolVar(&t.exit, "exit", false, "stop after the table")
	return cmd
}

func (t *trial) run(cmd *cobra.Command, environ []string) (err error) {
	if t.sticks < 1 || t.sticks > 32 {
		return fmt.Errorf("--sticks %d: 1 to 32 can be pressed", t.sticks)
	}
	if t.layout != protocol.LayoutMBRDual && t.layout != protocol.LayoutGPTUEFI {
		return fmt.Errorf("--layout %s: want %s or %s", t.layout, protocol.LayoutMBRDual, protocol.LayoutGPTUEFI)
	}
	if t.data, err = filepath.Abs(t.data); err != nil {
		return err
	}
	ctx := cmd.Context()
	image, err := t.prepare(ctx)
	if err != nil {
		return err
	}

	config := Config{Data: filepath.Join(t.data, "server"), Listen: t.listen, LogLevel: "warn", LogFormat: "text"}
	if err := config.Validate(); err != nil {
		return err
	}
	logs, err := os.OpenFile(filepath.Join(t.data, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer logs.Close()
	t.say("starting Postgres and the console (log: %s)", logs.Name())
	if t.server, err = startServer(ctx, config, origin{}, newLogger(config, logs)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.server.stop()) }()
	if err := t.signIn(ctx); err != nil {
		return err
	}

	agent, err := t.startAgent(ctx, environ)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, agent.stop()) }()
	version, err := t.publish(cmd, image)
	if err != nil {
		return err
	}
	job, err := t.press(ctx, agent, version)
	if err != nil {
		return err
	}
	t.table(job)
	if !t.exit && ctx.Err() == nil {
		if err := t.stay(ctx, agent); err != nil {
			return err
		}
	}
	if countVerified(job) != len(job.Builds) {
		return errUnverified
	}
	return nil
}

// prepare makes the folder, the virtual sticks and, unless one was given, the
// sample image. What is there already is used as it is.
func (t *trial) prepare(ctx context.Context) (image string, err error) {
	if t.image != "" {
		if _, err := os.Stat(t.image); err != nil {
			return "", fmt.Errorf("read the image: %w", err)
		}
	}
	sticks := filepath.Join(t.data, "sticks")
	if err := os.MkdirAll(sticks, 0o700); err != nil {
		return "", fmt.Errorf("make the trial's folder: %w", err)
	}
	for n := range t.sticks {
		path := filepath.Join(sticks, fmt.Sprintf("stick-%d.img", n+1))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return "", fmt.Errorf("make a virtual stick: %w", err)
		}
		info, err := f.Stat()
		if err == nil && info.Size() != stickBytes {
			err = f.Truncate(stickBytes)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return "", fmt.Errorf("size the virtual stick %s: %w", path, err)
		}
	}
	t.say("%d virtual sticks of 64 GB (sparse files) in %s", t.sticks, sticks)
	if t.image != "" {
		return t.image, nil
	}
	folder := filepath.Join(t.data, "sample")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make the sample's folder: %w", err)
	}
	began := time.Now()
	image, err = sample.Make(ctx, folder, sample.Options{})
	if err != nil {
		return "", fmt.Errorf("make the sample image: %w", err)
	}
	t.say("sample image %s (%.1f s)", image, time.Since(began).Seconds())
	return image, nil
}

// signIn makes the trial's admin on the first run and a token for this run.
func (t *trial) signIn(ctx context.Context) error {
	console, system := t.server.console, api.System("trial")
	_, err := console.CreateUser(ctx, system, api.CreateUserInput{Login: trialLogin, Name: "Trial", Role: api.RoleAdmin})
	if err != nil && !errors.Is(err, fault.New(fault.KindConflict, "name_taken")) {
		return err
	}
	base := api.Anonymous("en", "trial", "127.0.0.1")
	link, err := console.CreateSignInLink(ctx, system, api.SignInLinkInput{Login: trialLogin})
	if err != nil {
		return err
	}
	in, err := console.RedeemSignInLink(ctx, base, link.Secret)
	if err != nil {
		return err
	}
	actor, err := console.ActorForUser(ctx, base, in.User.ID)
	if err != nil {
		return err
	}
	token, err := console.CreateToken(ctx, actor, api.CreateTokenInput{Name: "trial run", Role: api.RoleAdmin, TTL: 24 * time.Hour})
	if err != nil {
		return err
	}
	t.client, err = client.New(t.server.url, token.Secret, client.Options{UserAgent: "stickpress/" + version})
	return err
}

// publish uploads the image and makes it a version, unless the console has
// this very file already.
func (t *trial) publish(cmd *cobra.Command, path string) (api.Version, error) {
	ctx := cmd.Context()
	digest, err := fileDigest(path)
	if err != nil {
		return api.Version{}, err
	}
	name := "windows-sample"
	if t.image != "" {
		name = "windows-trial"
	}
	existing, err := t.client.ListVersions(ctx, api.VersionFilter{Image: name}, api.Page{Limit: api.MaxPage})
	if err != nil && !client.IsCode(err, "image_not_found") {
		return api.Version{}, err
	}
	for _, v := range existing.Items {
		if v.SHA256 == digest && v.State != "withdrawn" {
			t.say("image %s %s is published already", v.ImageName, v.Version)
			return v, nil
		}
	}
	number := fmt.Sprintf("1.0.%d", len(existing.Items))
	file, f, err := openImage(path)
	if err != nil {
		return api.Version{}, err
	}
	defer file.Close()
	up, err := sendImage(ctx, t.client, newBars(t.out), f)
	if err != nil {
		return api.Version{}, err
	}
	v, err := t.client.PublishVersion(ctx, api.PublishVersionInput{UploadID: up.ID, Image: name, Version: number, Channel: api.DefaultChannel})
	if err != nil {
		return v, err
	}
	t.say("published %s %s with %s", v.ImageName, v.Version, counted(len(v.Editions), "edition"))
	return v, nil
}

// stay keeps the console up until it is interrupted.
func (t *trial) stay(ctx context.Context, agent *agentProcess) error {
	at, err := t.server.console.PublicURL(ctx, t.server.url)
	if err != nil {
		return err
	}
	link, err := t.server.console.CreateSignInLink(ctx, api.System("trial"), api.SignInLinkInput{Login: trialLogin})
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "\nThe console is up. This link signs you in once, within 15 minutes:\n  %s\nCtrl-C stops it.\n", at+signInPath(link.Secret))
	select {
	case <-ctx.Done():
		return nil
	case <-agent.done:
		return fmt.Errorf("the agent ended: see %s", agent.log)
	case <-t.server.ctx.Done():
		return t.server.group.Wait()
	}
}

func (t *trial) say(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the image: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read the image: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func countVerified(j api.Job) int {
	n := 0
	for _, b := range j.Builds {
		if b.State == "verified" {
			n++
		}
	}
	return n
}
