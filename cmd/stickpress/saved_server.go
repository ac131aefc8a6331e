package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// savedServer is a console that somebody is signed in at.
type savedServer struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Token string `json:"token"`
	// TokenID is there where the token was made for this program alone: it goes
	// with the file's entry.
	TokenID string `json:"token_id,omitempty"`
	CA      string `json:"ca,omitempty"`  // path of a PEM file
	Pin     string `json:"pin,omitempty"` // SHA-256 in hex
}

// savedServers is the file in which 'stickpress login' keeps them. Whoever can
// read it can do what they can: it is its owner's alone.
type savedServers struct {
	Current string        `json:"current"` // name of the one that is meant without --server
	Servers []savedServer `json:"servers"`

	path string
}

// readServers reads the file; without one nobody is signed in anywhere.
func readServers(environ []string) (savedServers, error) {
	dir, err := configFolder(environ)
	if err != nil {
		return savedServers{}, nil //nolint:nilerr // nobody's home, a service's: everything is in the environment
	}
	file := savedServers{path: filepath.Join(dir, "servers.json")}
	st, err := os.Stat(file.path)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err != nil {
		return file, fmt.Errorf("read the saved consoles: %w", err)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return file, fmt.Errorf("%s holds tokens and others can read it: chmod 600 it, and end these tokens if they may have been read", file.path)
	}
	raw, err := os.ReadFile(file.path)
	if err != nil {
		return file, fmt.Errorf("read the saved consoles: %w", err)
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return file, fmt.Errorf("read %s: %w", file.path, err)
	}
	return file, nil
}

// write replaces the file, whole or not at all.
func (f *savedServers) write() error {
	if f.path == "" {
		return errors.New("there is no folder for settings: set HOME or XDG_CONFIG_HOME")
	}
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("make the folder for settings: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(f.path), "servers-*.json") // 0600
	if err != nil {
		return fmt.Errorf("write the saved consoles: %w", err)
	}
	_, err = part.Write(append(raw, '\n'))
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), f.path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return fmt.Errorf("write the saved consoles: %w", err)
	}
	return nil
}

// find returns the console that a name or a URL means; empty means the current
// one, or the one on this machine.
func (f *savedServers) find(ref string) (savedServer, error) {
	if ref == "" {
		ref = f.Current
	}
	if ref == "" {
		ref = defaultServer
	}
	for _, s := range f.Servers {
		if s.Name == ref || s.URL == trimURL(ref) {
			return s, nil
		}
	}
	if strings.Contains(ref, "://") {
		return savedServer{URL: trimURL(ref)}, nil
	}
	return savedServer{}, fmt.Errorf("you are signed in at no console that is called %q: 'stickpress context list' shows them; a URL begins with https://", ref)
}

// named returns the console of a name, or one without anything.
func (f *savedServers) named(name string) savedServer {
	for _, s := range f.Servers {
		if s.Name == name {
			return s
		}
	}
	return savedServer{}
}

// put adds a console, or replaces the one of its name.
func (f *savedServers) put(s savedServer) {
	f.remove(s.Name)
	f.Servers = append(f.Servers, s)
	slices.SortFunc(f.Servers, func(a, b savedServer) int { return strings.Compare(a.Name, b.Name) })
}

// remove forgets a console. The current one is then the only one that is left.
func (f *savedServers) remove(name string) {
	f.Servers = slices.DeleteFunc(f.Servers, func(s savedServer) bool { return s.Name == name })
	if f.Current == name {
		f.Current = ""
		if len(f.Servers) == 1 {
			f.Current = f.Servers[0].Name
		}
	}
}

func trimURL(s string) string { return strings.TrimRight(s, "/") }
