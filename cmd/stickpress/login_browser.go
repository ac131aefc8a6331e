package main

import (
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/client"
)

// askInBrowser has a token made for this program by somebody in a browser.
func askInBrowser(cmd *cobra.Command, s *savedServer) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	p, err := c.BeginPairing(cmd.Context(), machineName())
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Open this page where you are signed in at the console, see that it shows the code\n%s, and allow it:\n\n  %s/pair?code=%s\n\nWaiting for the answer, until %s …\n",
		p.Code, s.URL, p.Code, p.ExpiresAt.Local().Format("15:04"))
	token, err := c.EndPairing(cmd.Context(), p)
	if client.IsCode(err, "pairing_not_found") {
		return fmt.Errorf("nobody allowed it in time: begin again (%w)", err)
	}
	s.Token, s.TokenID = token.Secret, token.ID
	return err
}

// machineName is who asks, as the console shows it: the person here and the machine.
func machineName() string {
	name, err := os.Hostname()
	if err != nil {
		name = "stickpress"
	}
	if u, err := user.Current(); err == nil {
		_, login, _ := strings.Cut(u.Username, `\`) // DOMAIN\login on Windows
		if login == "" {
			login = u.Username
		}
		name = login + "@" + name
	}
	return strings.ToValidUTF8(name[:min(len(name), maxMachineName)], "")
}

// maxMachineName is how long the name of who asks may be (wire.BeginPairing); cut
// to as many bytes, it is not longer in characters.
const maxMachineName = 64
