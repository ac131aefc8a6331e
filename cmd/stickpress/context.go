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
			return show(x, cmd, hideTokens(file.Servers), func(s savedServer) string { return s.Name }, []column[savedServer]{
				{"", func(s savedServer) string {
					if s.Name == file.Current {
						return "*"
					}
					return ""
				}},
				{"NAME", func(s savedServer) string { return s.Name }},
				{"URL", func(s savedServer) string { return s.URL }},
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

// hideTokens leaves out what only the file is to know.
func hideTokens(all []savedServer) []savedServer {
	out := make([]savedServer, 0, len(all))
	for _, s := range all {
		s.Token = ""
		out = append(out, s)
	}
	return out
}
