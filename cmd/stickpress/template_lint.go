package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/unattend"
	"github.com/stickpress/stickpress/web/locale"
)

func templateLintCommand(x *remote) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use: "lint FILE", Short: "Checks an answer file as the console does when it is saved; no console is asked",
		Long: `Checks an answer file (- for standard input) as the console does when it is saved;
no console is asked. What is not well-formed is refused (exit code 4); a warning
is printed with its line, and is refused with --strict only.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readFile(cmd, args[0])
			if err != nil {
				return err
			}
			t, err := unattend.Parse(raw)
			if err != nil {
				return err
			}
			warnings := append([]api.Warning{}, t.Lint()...)
			if x.json {
				if err := printJSON(cmd, warnings); err != nil {
					return err
				}
			} else {
				for _, w := range warnings {
					fmt.Fprintln(cmd.OutOrStdout(), clean(warningText(args[0], w)))
				}
			}
			if strict && len(warnings) > 0 {
				return errWarnings
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "refuse warnings, too")
	return cmd
}

// warningText is a warning as compilers write theirs.
func warningText(file string, w api.Warning) string {
	return fmt.Sprintf("%s:%d: %s [%s]", file, w.Line, locale.English.Lint(w.Code, w.Params), w.Code)
}

func templateRenderCommand(x *remote) *cobra.Command {
	var file, holder, ticket string
	var vars []string
	var names bool
	cmd := &cobra.Command{
		Use:   "render [TEMPLATE]",
		Short: "Prints the answer file that a stick would get",
		Long: `Prints the answer file that a stick would get, made of a template of the console
or of a file (then no console is asked). What queuing a job with the same would be
refused for is refused: a variable without a value, a name that no computer may
have. What only a job would know (job_id, build_id, stick_id, image, version) is
empty unless --var says it. A --var that the answer file does not ask for is
refused, but for computer_name.`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: x.places(findTemplates),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return wrong(cmd, "a template or --file: give one of them")
			}
			if names {
				asked, err := x.variablesOf(cmd, file, args)
				if err != nil {
					return err
				}
				return show(x, cmd, asked, func(v string) string { return v }, []column[string]{{"VARIABLE", func(v string) string { return v }}})
			}
			given, err := parseVars(cmd, vars)
			if err != nil {
				return err
			}
			out, err := x.render(cmd, file, args, api.RenderInput{ExternalRef: api.Ticket(ticket), Holder: holder, Variables: given})
			if err != nil {
				return err
			}
			if x.json {
				return printJSON(cmd, out)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), out.AnswerFile)
			return err
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "a file instead of a template, - for standard input")
	cmd.Flags().StringVar(&holder, "for", "", "who would get the stick")
	cmd.Flags().StringVar(&ticket, "ticket", "", "number of the ticket")
	cmd.Flags().StringArrayVar(&vars, "var", nil, "NAME=VALUE; may be repeated")
	cmd.Flags().BoolVar(&names, "variables", false, "list the variables that it asks for, and render nothing")
	_ = cmd.MarkFlagFilename("file", "xml")
	return cmd
}

// render renders a file here, or has the console render its template.
func (x *remote) render(cmd *cobra.Command, file string, args []string, in api.RenderInput) (api.Rendering, error) {
	if file != "" {
		raw, err := readFile(cmd, file)
		if err != nil {
			return api.Rendering{}, err
		}
		answer, err := api.RenderAnswer(string(raw), in)
		return api.Rendering{AnswerFile: answer}, err
	}
	c, err := x.client()
	if err != nil {
		return api.Rendering{}, err
	}
	return c.RenderTemplate(cmd.Context(), args[0], in)
}

// variablesOf are the variables that a file asks for, or a template.
func (x *remote) variablesOf(cmd *cobra.Command, file string, args []string) ([]string, error) {
	if file != "" {
		raw, err := readFile(cmd, file)
		if err != nil {
			return nil, err
		}
		t, err := unattend.Parse(raw)
		if err != nil {
			return nil, err
		}
		return t.Variables(), nil
	}
	c, err := x.client()
	if err != nil {
		return nil, err
	}
	t, err := c.GetTemplate(cmd.Context(), args[0])
	return t.Current.Variables, err
}

// parseVars reads the values of --var.
func parseVars(cmd *cobra.Command, pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil //nolint:nilnil // none were given
	}
	vars := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, wrong(cmd, "--var %q is not like NAME=VALUE", pair)
		}
		vars[name] = value
	}
	return vars, nil
}
