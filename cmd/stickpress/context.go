package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// contextCommand is about the consoles that 'stickpress login' kept.
func contextCommand(x *remote) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "Lists the consoles that you are signed in at; the current one has a star", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := readServers(x.environ)
			if err != nil {
				return err
			}
			return show(x, cmd, contextsOf(&file), func(s serverContext) string { return s.Name }, []column[serverContext]{
				{"", func(s serverContext) string {
					if s.Current {
						return "*"
					}
					return ""
				}},
				{"NAME", func(s serverContext) string { return s.Name }},
				{"URL", func(s serverContext) string { return s.URL }},
			})
		},
	}
	use := &cobra.Command{
		Use: "use NAME", Short: "Makes a console the one that is meant where no --server is given",
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.completeContext,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readServers(x.environ)
			if err != nil {
				return err
			}
			s, err := file.find(args[0])
			if err != nil {
				return err
			}
			if s.Name == "" {
				return errors.New("you are not signed in there: 'stickpress login' does that")
			}
			file.Current = s.Name
			if err := file.write(); err != nil {
				return err
			}
			x.tell(cmd, "%s is meant from now on.", s.URL)
			return nil
		},
	}
	return x.family("context", "Chooses between the consoles that you are signed in at", list, use)
}

// serverContext is a console of the file without what only the file is to know.
type serverContext struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Current bool   `json:"current"` // it is meant where no --server is given
	TokenID string `json:"token_id,omitempty"`
	CA      string `json:"ca,omitempty"`
	Pin     string `json:"pin,omitempty"`
}

func contextsOf(file *savedServers) []serverContext {
	out := make([]serverContext, 0, len(file.Servers))
	for _, s := range file.Servers {
		out = append(out, serverContext{Name: s.Name, URL: s.URL, Current: s.Name == file.Current, TokenID: s.TokenID, CA: s.CA, Pin: s.Pin})
	}
	return out
}
