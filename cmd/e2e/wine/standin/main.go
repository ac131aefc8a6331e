// Command standin takes the place of diskpart, DISM, bcdboot and icacls: it
// appends what it was called with to the file calls.txt beside itself, one
// JSON line for each call. DISM's listing is read from list.txt there; its
// applying fails with status 87. If there is a file ask.txt, the call is also
// sent to the address in it, and what comes back is what the program says and
// ends with. Under its own name it waits for the end of its
// input, so that this Windows has something to do.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Call is one line.
type Call struct {
	Program string   // without .exe
	Args    []string // without the name
	Script  string   // of diskpart
}

func main() {
	status, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	dir := filepath.Dir(self)
	c := Call{Program: strings.ToLower(strings.TrimSuffix(filepath.Base(self), filepath.Ext(self))), Args: os.Args[1:]}
	if c.Program == "standin" {
		_, err := io.Copy(io.Discard, os.Stdin)
		return 0, err
	}
	if len(c.Args) == 2 && c.Args[0] == "/s" && c.Program == "diskpart" {
		script, err := os.ReadFile(c.Args[1])
		if err != nil {
			return 0, err
		}
		c.Script = string(script)
	}
	f, err := os.OpenFile(filepath.Join(dir, "calls.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := json.NewEncoder(f).Encode(c); err != nil {
		return 0, err
	}
	if address, err := os.ReadFile(filepath.Join(dir, "ask.txt")); err == nil {
		return ask(string(address), c)
	}
	switch {
	case slices.Contains(c.Args, "/List-Image"):
		list, err := os.ReadFile(filepath.Join(dir, "list.txt"))
		if err != nil {
			return 0, err
		}
		_, err = os.Stdout.Write(list)
		return 0, err
	case slices.Contains(c.Args, "/Apply-Image"):
		fmt.Print("\r\n[==     3.0%      ]\r\nError: 87\r\nThe stand-in applies nothing.\r\n")
		return 87, nil
	}
	return 0, nil
}

// Answer is what comes back for a Call.
type Answer struct {
	Status int
	Output string
}

func ask(address string, c Call) (int, error) {
	question, err := json.Marshal(c)
	if err != nil {
		return 0, err
	}
	res, err := http.Post(address, "application/json", bytes.NewReader(question)) //nolint:noctx // it ends with its caller
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var a Answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return 0, err
	}
	fmt.Print(a.Output)
	return a.Status, nil
}
