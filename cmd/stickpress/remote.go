package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/client"
)

// defaultServer is the console that is meant when none was named.
const defaultServer = "http://127.0.0.1:8080"

// remote is what all commands share that talk to a console over REST: how it
// is reached, and how they answer.
type remote struct {
	server, token, ca, pin string
	json, quiet, utc       bool

	environ  []string
	patience time.Duration // of completing a word
}

func newRemote(environ []string) *remote {
	return &remote{environ: environ, patience: completePatience}
}

// family makes a command of the client whose flags its subcommands have, too.
func (x *remote) family(use, short string, sub ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, GroupID: groupClient}
	x.addFlags(cmd)
	cmd.AddCommand(sub...)
	return cmd
}

func (x *remote) addFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&x.server, "server", "", "the console's URL, or the name of one that you are signed in at [STICKPRESS_SERVER]")
	f.StringVar(&x.token, "token", "", "bearer token [STICKPRESS_TOKEN]")
	f.StringVar(&x.ca, "ca", "", "PEM file of the authorities that the console's certificate is checked by [STICKPRESS_CA]")
	f.StringVar(&x.pin, "pin", "", "SHA-256 of the console's own certificate, if nobody issued it [STICKPRESS_PIN]")
	f.BoolVar(&x.json, "json", false, "print JSON: an object, an array, or of a stream one object a line")
	f.BoolVarP(&x.quiet, "quiet", "q", false, "print IDs and names alone, and no progress")
	f.BoolVar(&x.utc, "utc", false, "print times in UTC instead of this machine's zone")
	cmd.MarkFlagsMutuallyExclusive("json", "quiet")
	_ = cmd.RegisterFlagCompletionFunc("server", x.completeServer) // fails only for a flag that does not exist
	_ = cmd.MarkPersistentFlagFilename("ca", "pem", "crt")
}

// client returns a client of the console that is meant.
func (x *remote) client() (*client.Client, error) {
	at, err := x.meant()
	if err != nil {
		return nil, err
	}
	if at.Token == "" {
		return nil, fmt.Errorf("%w for %s: 'stickpress login %s' gets one; or make one on the console's account page and set STICKPRESS_TOKEN", errNoToken, at.URL, at.URL)
	}
	return at.client()
}

// meant is the console that is meant, with the token for it. A flag goes before
// the environment, and that before what 'stickpress login' kept; a token that
// was kept is sent to the console that it is for and to no other.
func (x *remote) meant() (savedServer, error) {
	file, err := readServers(x.environ)
	if err != nil {
		return savedServer{}, err
	}
	name := x.server
	if name == "" {
		name = lookup(x.environ, "STICKPRESS_SERVER")
	}
	at, err := file.find(name)
	if err != nil {
		return savedServer{}, err
	}
	elsewhere := x.server != "" && at.Token != "" // the environment may mean another console
	for _, v := range []struct {
		to         *string
		flag, name string
	}{
		{&at.Token, x.token, "STICKPRESS_TOKEN"}, {&at.CA, x.ca, "STICKPRESS_CA"}, {&at.Pin, x.pin, "STICKPRESS_PIN"},
	} {
		if env := lookup(x.environ, v.name); env != "" && !elsewhere {
			*v.to = env
		}
		if v.flag != "" {
			*v.to = v.flag
		}
	}
	return at, nil
}

// client returns a client of a console.
func (s *savedServer) client() (*client.Client, error) {
	trust := client.Trust{Pin: s.Pin}
	if s.CA != "" {
		var err error
		if trust.CA, err = os.ReadFile(s.CA); err != nil {
			return nil, fmt.Errorf("read the authorities: %w", err)
		}
	}
	h, err := trust.HTTP()
	if err != nil {
		return nil, err
	}
	return client.New(s.URL, s.Token, client.Options{HTTP: h, UserAgent: "stickpress/" + version})
}

// do is the RunE of a command that asks a console.
func (x *remote) do(f func(*cobra.Command, *client.Client, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := x.client()
		if err != nil {
			return err
		}
		return f(cmd, c, args)
	}
}

// configFolder is where this program keeps what is a person's own.
func configFolder(environ []string) (string, error) {
	if dir := lookup(environ, "XDG_CONFIG_HOME"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", errors.New("XDG_CONFIG_HOME is not an absolute path")
		}
		return filepath.Join(dir, "stickpress"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for settings: %w", err)
	}
	return filepath.Join(dir, "stickpress"), nil
}

// lookup reads one variable of an environment in the form of os.Environ; empty
// is as good as not there.
func lookup(environ []string, name string) string {
	for _, e := range environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok && value != "" {
			return value
		}
	}
	return ""
}
