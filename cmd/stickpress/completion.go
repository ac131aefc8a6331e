package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// addCompletion adds the commands that print completion scripts. That for bash
// works without the package bash-completion, which small machines have not.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	bash, _, err := root.Find([]string{"completion", "bash"})
	if err != nil {
		return // cobra makes none
	}
	bash.Long = `Prints the completion script for bash 4 or newer.

In the shell that runs:

	source <(stickpress completion bash)

In each new one: put this line into ~/.bashrc. For everybody, where the package
bash-completion is installed:

	stickpress completion bash > /etc/bash_completion.d/stickpress`
	bash.RunE = func(cmd *cobra.Command, _ []string) error {
		plain, err := cmd.Flags().GetBool("no-descriptions")
		if err != nil {
			return err
		}
		var script bytes.Buffer
		if err := cmd.Root().GenBashCompletionV2(&script, !plain); err != nil {
			return err
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), standAlone.Replace(script.String()))
		return err
	}
}

// standAlone replaces what cobra's script takes from bash-completion: the words
// of the line, which bash splits at = and : too, and files of a kind, in place of
// which all files are offered.
var standAlone = strings.NewReplacer(
	`    _get_comp_words_by_ref "$@" cur prev words cword
`, `    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local i word gap glue='' line=${COMP_LINE:0:COMP_POINT}
    words=() cword=0
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        gap=${line%%[![:space:]]*}
        line=${line#"$gap"}
        if ((i == COMP_CWORD)); then
            word=$line # what stands before the cursor
        fi
        line=${line#"$word"}
        if [[ -z $gap && -n $word && ${#words[@]} -gt 0 && ($glue || $word == [=:]*) ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        glue=''
        if [[ $word == *[=:] ]]; then
            glue=yes
        fi
    done
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=''
    if ((cword > 0)); then
        prev=${words[cword - 1]}
    fi
`,
	`        $filteringCmd
`, `        if declare -F _filedir >/dev/null; then
            $filteringCmd
        fi
`)
