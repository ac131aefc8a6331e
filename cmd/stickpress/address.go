package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// addressFile lies in the data folder and says where its server is reached, for
// commands beside it. It is locked for as long as that server runs, however it
// ends; what it says stays.
const addressFile = "server.json"

// address is where a server is reached, as far as no row of the database says it.
type address struct {
	URL       string `json:"url"`                  // where it listens
	PublicURL string `json:"public_url,omitempty"` // what its settings say
}

// wholeFile is the lock of a server. It belongs to the open file, so that it is gone
// when the process is.
var wholeFile = unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}

// leaveAddress says where the server is; the file that it returns is to be closed
// when it is not there any more. Of two servers in one folder the first says it.
func leaveAddress(data string, a address) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(data, addressFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("leave the address: %w", err)
	}
	raw, err := json.Marshal(a)
	if err == nil {
		lock := wholeFile
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
	}
	if errors.Is(err, unix.EAGAIN) {
		return f, nil
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.Write(append(raw, '\n'))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("leave the address: %w", err), f.Close())
	}
	return f, nil
}

// leftAddress is what the last server of a data folder left, and whether it runs.
// Where none ever ran it is the zero value.
func leftAddress(data string) (a address, runs bool) {
	f, err := os.Open(filepath.Join(data, addressFile))
	if err != nil {
		return address{}, false
	}
	defer f.Close()
	lock := wholeFile // whoever asks takes none
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return address{}, false
	}
	if err := json.NewDecoder(io.LimitReader(f, 64<<10)).Decode(&a); err != nil {
		return address{}, false
	}
	return a, lock.Type != unix.F_UNLCK
}

// reached is where a console is reached, as a command beside its server knows it.
type reached struct {
	url   string
	set   bool   // settings say it; what was set in the console does not count then
	doubt string // why it may be wrong; empty if it is what the server itself uses
}

// reach is where the console of a configuration is reached.
func (c Config) reach(from origin) reached {
	left, runs := leftAddress(c.Data)
	own := c.URL(listenAddr(c.Listen))
	switch {
	case c.PublicURL != "":
		return reached{url: own, set: true}
	case left.PublicURL != "" && runs:
		return reached{url: left.PublicURL, set: true}
	case from["listen"] == originFlag:
		return reached{url: own}
	case runs:
		return reached{url: left.URL}
	case left.URL != "":
		return reached{url: left.URL, doubt: fmt.Sprintf("No server runs in %s; the last one was on %s.", c.Data, left.URL)}
	}
	return reached{url: own, doubt: fmt.Sprintf("No server has run in %s; %s is where one would be by these settings.", c.Data, own)}
}
