package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/diff"
)

func templateCommand(x *remote) *cobra.Command {
	return x.family("template", "Unattend templates: the answer files that sticks get",
		templateListCommand(x), templateGetCommand(x), templatePutCommand(x), templateDiffCommand(x),
		templateLintCommand(x), templateRenderCommand(x))
}

func templateListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists templates", api.ShelfFields, (*client.Client).ListTemplates,
		func(t api.Template) string { return t.Name },
		column[api.Template]{"TEMPLATE", func(t api.Template) string { return t.Name }},
		column[api.Template]{"VERSION", func(t api.Template) string { return number(t.Current.Number) }},
		column[api.Template]{"SAVED", func(t api.Template) string { return x.at(t.Current.CreatedAt) }},
		column[api.Template]{"BY", func(t api.Template) string { return t.Current.CreatedBy }},
		column[api.Template]{"RETIRED", func(t api.Template) string { return x.since(t.RetiredAt) }},
		column[api.Template]{"DESCRIPTION", func(t api.Template) string { return t.Description }},
	)
}

func templateGetCommand(x *remote) *cobra.Command {
	var number int
	var file string
	cmd := &cobra.Command{
		Use: "get TEMPLATE", Short: "Prints the source of a template, or with --json what is known of it",
		Long: `Prints the source of a template, or with --json what is known of it. The source may
hold passwords; only admins get it.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findTemplates),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if x.json {
				t, err := c.GetTemplate(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printJSON(cmd, t)
			}
			source, err := sourceOf(cmd, c, args[0], number)
			if err != nil {
				return err
			}
			if file == "" {
				_, err = fmt.Fprint(cmd.OutOrStdout(), source)
				return err
			}
			return os.WriteFile(file, []byte(source), 0o600)
		}),
	}
	cmd.Flags().IntVar(&number, "number", 0, "an older version, by its number (default: the newest)")
	cmd.Flags().StringVarP(&file, "output", "o", "", "write it into this file, which nobody else can read")
	return cmd
}

// sourceOf fetches the source of a template's version, of the newest for 0.
func sourceOf(cmd *cobra.Command, c *client.Client, ref string, number int) (string, error) {
	if number == 0 {
		return c.TemplateSource(cmd.Context(), ref)
	}
	page := func(ctx context.Context, p api.Page) (api.List[api.TemplateVersion], error) {
		return c.ListTemplateVersions(ctx, ref, p)
	}
	for v, err := range client.All(cmd.Context(), page) {
		if err != nil {
			return "", err
		}
		if v.Number == number {
			return c.TemplateSource(cmd.Context(), v.ID)
		}
	}
	return "", fmt.Errorf("the template %s has no version %d", ref, number)
}

func templatePutCommand(x *remote) *cobra.Command {
	var description string
	cmd := &cobra.Command{
		Use: "put TEMPLATE FILE", Short: "Saves a file as a new version of a template, or as a new template",
		Long: `Saves a file (- for standard input) as a new version of a template, or as a new
template. It is checked first; one that is not well-formed is refused with the
line. The same source again makes no new version.`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: x.templateAndFile,
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			raw, err := readFile(cmd, args[1])
			if err != nil {
				return err
			}
			in := api.SaveTemplateInput{Name: args[0], Description: description, Source: string(raw)}
			t, err := c.GetTemplate(cmd.Context(), args[0])
			switch {
			case err == nil:
				in.ID, in.Name, in.Revision = t.ID, t.Name, t.Revision
				if !cmd.Flags().Changed("description") {
					in.Description = t.Description
				}
			case !client.IsCode(err, "template_not_found"):
				return err
			}
			if t, err = c.SaveTemplate(cmd.Context(), in); err != nil {
				return err
			}
			return one(x, cmd, t, t.ID, func(d *details) {
				d.line(t.Name, "version "+number(t.Current.Number))
				for _, w := range t.Current.Warnings {
					x.tell(cmd, "%s", warningText(args[1], w))
				}
			})
		}),
	}
	cmd.Flags().StringVar(&description, "description", "", "what it is for")
	return cmd
}

func templateDiffCommand(x *remote) *cobra.Command {
	var from, to int
	cmd := &cobra.Command{
		Use: "diff TEMPLATE [FILE]", Short: "Compares a template with a file, or two of its versions",
		Long: `Compares a template with a file, or two of its versions: without a file and
without --to, the newest with the one before. How lines end does not matter. The
exit code is 0 also where they differ.`,
		Args: cobra.RangeArgs(1, 2), ValidArgsFunction: x.templateAndFile,
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if len(args) == 2 {
				if to != 0 {
					return wrong(cmd, "a file and --to: give one of them")
				}
				return x.diffFile(cmd, c, args[0], from, args[1])
			}
			in := api.CompareTemplateInput{Template: args[0]}
			if from != 0 {
				in.From = number(from)
			}
			if to != 0 {
				in.To = number(to)
			}
			d, err := c.CompareTemplate(cmd.Context(), in)
			if err != nil {
				return err
			}
			if from == 0 && d.From.Number == d.To.Number {
				return fmt.Errorf("the template %s has no version before %d", args[0], d.To.Number)
			}
			if x.json {
				return printJSON(cmd, d)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), d.Unified)
			return err
		}),
	}
	cmd.Flags().IntVar(&from, "from", 0, "number of the older version")
	cmd.Flags().IntVar(&to, "to", 0, "number of the newer version (default: the newest)")
	return cmd
}

// diffFile compares a version of a template, the newest for 0, with a file.
func (x *remote) diffFile(cmd *cobra.Command, c *client.Client, ref string, from int, file string) error {
	raw, err := readFile(cmd, file)
	if err != nil {
		return err
	}
	t, err := c.GetTemplate(cmd.Context(), ref)
	if err != nil {
		return err
	}
	before, err := sourceOf(cmd, c, t.ID, from)
	if err != nil {
		return err
	}
	v := t.Current
	if from != 0 {
		v.Number = from
	}
	rows := append([]diff.Row{}, diff.Lines(before, string(raw))...)
	unified := diff.Unified(v.Title(t.Name), file, rows)
	if x.json {
		return printJSON(cmd, map[string]any{"rows": rows, "unified": unified})
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), unified)
	return err
}

// templateAndFile completes a template and a file.
func (x *remote) templateAndFile(cmd *cobra.Command, before []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(before) == 1 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return x.places(findTemplates)(cmd, before, begun)
}
