package connector

import "strings"

// closed reports whether every part of a path that begins with a bracket, which is
// a query (#(…)) or a selection ({…}, […]), ends with the one that closes it: gjson
// takes any path, and finds nothing with others.
func closed(path string) bool {
	for rest := path; rest != ""; {
		if _, arg, ok := strings.Cut(rest, ":"); ok && rest[0] == '@' && arg != "" && (arg[0] == '{' || arg[0] == '[') {
			rest = arg // of a modifier, whose name has no bracket
		}
		open := strings.TrimPrefix(rest, "#")
		if begins := open != "" && (open[0] == '(' && open != rest || open == rest && (open[0] == '{' || open[0] == '[')); begins {
			n := bracketed(open)
			if n < 0 {
				return false
			}
			if rest = strings.TrimPrefix(open[n:], "#"); rest != "" && rest[0] != '.' && rest[0] != '|' {
				return false
			}
		}
		rest = behindPart(rest)
	}
	return true
}

// behindPart is a path without its first part.
func behindPart(path string) string {
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '\\':
			i++
		case '.', '|':
			return path[i+1:]
		}
	}
	return ""
}

// bracketed is the length of a text in brackets, -1 if it does not end.
func bracketed(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
