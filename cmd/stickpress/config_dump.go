package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
)

func configCommand(environ []string) *cobra.Command {
	config := &cobra.Command{Use: "config", Short: "Shows how the server is configured"}
	dump := &cobra.Command{
		Use:   "dump",
		Short: "Prints every setting with its value and where it came from; secrets are masked",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, from, err := loadConfig(cmd.Flags(), environ)
			if from == nil {
				return err
			}
			// A setting that is wrong is shown too: that is when one looks.
			if dumpErr := c.dump(cmd.OutOrStdout(), from); dumpErr != nil {
				return dumpErr
			}
			return err
		},
	}
	addConfigFlags(dump.Flags())
	config.AddCommand(dump)
	return config
}

// dump prints every setting with its value and where it came from. Passwords
// are masked.
func (c Config) dump(w io.Writer, from origin) error {
	rows := make([]string, 0, len(settings))
	for _, s := range settings {
		value := *s.field(&c)
		if s.secret {
			value = mask(value)
		}
		rows = append(rows, fmt.Sprintf("%s\t%q\t%s", s.key, value, from[s.key]))
	}
	slices.Sort(rows)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SETTING\tVALUE\tFROM")
	for _, row := range rows {
		fmt.Fprintln(tw, row)
	}
	return tw.Flush()
}

// shown is the configuration as the console's settings page has it: what dump
// prints.
func (c Config) shown(from origin) []api.Setting {
	all := make([]api.Setting, 0, len(settings))
	for _, s := range settings {
		source, where, _ := strings.Cut(cmp.Or(from[s.key], api.OriginDefault), " ")
		x := api.Setting{Name: s.key, Value: *s.field(&c), Default: s.def, Origin: source, Where: where, Secret: s.secret}
		if s.secret {
			x.Value = mask(x.Value)
		}
		all = append(all, x)
	}
	return all
}

// mask hides the password of a URL, and all of a secret that is none.
func mask(secret string) string {
	if secret == "" {
		return ""
	}
	u, err := url.Parse(secret)
	if err != nil || u.Host == "" {
		return "********"
	}
	if u.User != nil {
		if _, has := u.User.Password(); has {
			u.User = url.UserPassword(u.User.Username(), "********")
		}
	}
	q := u.Query()
	for _, name := range []string{"password", "sslpassword"} {
		if q.Has(name) {
			q.Set(name, "********")
		}
	}
	u.RawQuery = q.Encode()
	masked, err := url.PathUnescape(u.String())
	if err != nil {
		return "********"
	}
	return masked
}
