package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/certificate"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

func certificateCommand(x *remote) *cobra.Command {
	return x.family("certificate", "Certificates of wiped sticks: fetches and checks them",
		certificateVerifyCommand(x), certificateGetCommand(x), certificateKeyCommand(x))
}

func certificateVerifyCommand(x *remote) *cobra.Command {
	var key string
	verify := &cobra.Command{
		Use:   "verify FILE",
		Short: "Checks a certificate's signature and prints what it says",
		Long: `Checks a certificate's signature and prints what it says. It needs no console:
FILE is what a certificate's page offers for download, or - for standard input.

A certificate is worth as much as the key that signed it. --key is the
fingerprint of the console's, which 'stickpress certificate key' prints; keep it
somewhere else than the certificates.

Exit status: 1 if the certificate was changed, or another key signed it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readCertificate(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			signed, err := certificate.Parse(raw)
			if err != nil {
				return err
			}
			s, err := signed.VerifyBy(key)
			if err != nil {
				return err
			}
			if x.json {
				return printJSON(cmd, s)
			}
			return printStatement(cmd.OutOrStdout(), &s)
		},
	}
	verify.Flags().StringVar(&key, "key", "", "fingerprint of the key that must have signed it: a SHA-256 in hex")
	_ = verify.MarkFlagRequired("key") // fails only for a flag that does not exist
	return verify
}

func readCertificate(stdin io.Reader, name string) ([]byte, error) {
	from := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	return io.ReadAll(io.LimitReader(from, certificate.MaxBytes+1))
}

// printStatement says what was certified, in the words of the page.
func printStatement(out io.Writer, s *certificate.Statement) error {
	t := locale.English.T
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", t(key), value)
		}
	}
	stamp := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	line("certificate.number", s.ID)
	line("certificate.stick", s.Stick.ID)
	line("certificate.model", strings.TrimSpace(s.Stick.Vendor+" "+s.Stick.Model))
	line("certificate.serial", s.Stick.Serial)
	line("certificate.size", fmt.Sprintf("%s (%d)", locale.Bytes(s.Stick.Bytes), s.Stick.Bytes))
	line("certificate.holder", s.Stick.Holder)
	line("certificate.method", t("certificate.how_"+s.Wipe.How()))
	line("certificate.class", t("certificate.class_"+string(s.Class)))
	line("certificate.written", fmt.Sprint(s.Wipe.BytesWritten))
	line("certificate.read", fmt.Sprint(s.Wipe.BytesRead))
	line("certificate.result", t("certificate.result_"+s.Result))
	line("certificate.host", s.Host.Name)
	line("certificate.asked_by", s.AskedBy.Name)
	line("certificate.asked_at", stamp(s.Job.AskedAt))
	line("certificate.begun", stamp(s.Wipe.BegunAt))
	line("certificate.ended", stamp(s.Wipe.EndedAt))
	line("certificate.job", s.Job.ID)
	line("certificate.reference", s.Job.Reference)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s:\n", t("certificate.limits"))
	for _, l := range s.Limits {
		fmt.Fprintf(out, "- %s\n", t("certificate.limit_"+string(l)))
	}
	return nil
}

func certificateGetCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "get ID",
		Short: "Prints a certificate as a file that can be checked without the console",
		Args:  cobra.ExactArgs(1),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			found, err := c.GetCertificate(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printJSON(cmd, found.Signed)
		}),
	}
}

func certificateKeyCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Prints the fingerprint of the console's key",
		Args:  cobra.NoArgs,
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			identity, err := c.Identity(cmd.Context())
			if err != nil {
				return err
			}
			if certificate.Fingerprint(identity.PublicKey) != identity.Fingerprint {
				return errors.New("the console's answer names another key than it shows")
			}
			if x.json {
				return printJSON(cmd, identity)
			}
			fmt.Fprintln(cmd.OutOrStdout(), identity.Fingerprint)
			return nil
		}),
	}
}
