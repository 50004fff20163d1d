package transport

import (
	"fmt"
	"strings"
)

// settable names the ssh options that this package understands, in lower case,
// and whether further values add to the first rather than being ignored.
var settable = map[string]bool{
	"addressfamily": false, "certificatefile": true, "connecttimeout": false,
	"globalknownhostsfile": false, "hashknownhosts": false, "hostkeyalias": false,
	"hostname": false, "identitiesonly": false, "identityagent": false,
	"identityfile": true, "port": false, "proxycommand": false, "proxyjump": false,
	"stricthostkeychecking": false, "user": false, "userknownhostsfile": false,
}

// moot names the options that change nothing here, in lower case: one connection
// serves a host anyway, it is kept alive, and no terminal is asked for.
var moot = map[string]bool{
	"batchmode": true, "checkhostip": true, "compression": true, "controlmaster": true,
	"controlpath": true, "controlpersist": true, "gssapiauthentication": true,
	"loglevel": true, "numberofpasswordprompts": true, "requesttty": true,
	"serveralivecountmax": true, "serveraliveinterval": true, "tcpkeepalive": true,
	"updatehostkeys": true, "visualhostkey": true,
}

// values holds ssh options by lower-case name. As in ssh the first value of an
// option counts, except for those that add up.
type values map[string][]string

// add sets key unless it is set, or adds to it where values add up. Of
// ProxyJump and ProxyCommand, the one that comes first switches the other off.
func (v values) add(key, value string) {
	key = strings.ToLower(key)
	adds, known := settable[key]
	switch {
	case !known, len(v[key]) > 0 && !adds,
		key == "proxyjump" && len(v["proxycommand"]) > 0,
		key == "proxycommand" && len(v["proxyjump"]) > 0:
		return
	}
	v[key] = append(v[key], value)
}

func (v values) first(key string) string {
	if len(v[key]) == 0 {
		return ""
	}
	return v[key][0]
}

// parseArgs reads ansible_ssh_common_args: ssh's command line options. warnings
// name those that have no effect here.
func parseArgs(line string) (vals values, warnings []string, err error) {
	words, err := splitWords(line)
	if err != nil {
		return nil, nil, err
	}
	vals = values{}
	// Options of ssh that take a value, and what they set.
	short := map[byte]string{'J': "proxyjump", 'i': "identityfile", 'p': "port", 'l': "user", 'o': "-o"}
	ignore := func(what string) { warnings = append(warnings, fmt.Sprintf("ssh option %s has no effect here", what)) }
	for i := 0; i < len(words); i++ {
		w := words[i]
		if len(w) < 2 || w[0] != '-' {
			return nil, nil, fmt.Errorf("%q is not an ssh option", w)
		}
		for j := 1; j < len(w); j++ {
			flag := w[j]
			if strings.IndexByte("BbcDEeFIiJLlmOoPpQRSWw", flag) < 0 { // a flag without a value
				if strings.IndexByte("CnqTtv46", flag) < 0 {
					ignore("-" + string(flag))
				}
				if flag == '4' {
					vals.add("addressfamily", "inet")
				} else if flag == '6' {
					vals.add("addressfamily", "inet6")
				}
				continue
			}
			value := w[j+1:]
			if value == "" {
				if i++; i == len(words) {
					return nil, nil, fmt.Errorf("ssh option -%c lacks its value", flag)
				}
				value = words[i]
			}
			key, known := short[flag]
			if !known {
				ignore("-" + string(flag))
				break
			}
			if key == "-o" {
				if key, value, err = splitOption(value); err != nil {
					return nil, nil, err
				}
				key = strings.ToLower(key)
			}
			if _, known := settable[key]; known {
				vals.add(key, value)
			} else if !moot[key] {
				ignore(key)
			}
			break
		}
	}
	return vals, warnings, nil
}

// splitOption splits "Key=value", "Key value" or "Key = value".
func splitOption(s string) (key, value string, err error) {
	s = strings.TrimSpace(s)
	i := strings.IndexAny(s, "= \t")
	if i <= 0 {
		return "", "", fmt.Errorf("ssh option -o %q is not Name=value", s)
	}
	key, value = s[:i], strings.TrimLeft(s[i:], " \t")
	value = strings.TrimSpace(strings.TrimPrefix(value, "="))
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' && strings.Count(value, `"`) == 2 {
		value = value[1 : len(value)-1]
	}
	if value == "" {
		return "", "", fmt.Errorf("ssh option %s lacks its value", key)
	}
	return key, value, nil
}

// splitWords splits s as a POSIX shell would, with quotes and backslashes but
// without expansions.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\':
			i++
			if i == len(s) {
				return nil, fmt.Errorf("backslash at the end of %q", s)
			}
			if quote == '"' && strings.IndexByte("\"\\$`", s[i]) < 0 {
				word.WriteByte('\\')
			}
			word.WriteByte(s[i])
			in = true
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("unclosed %c in %q", quote, s)
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// quote makes words safe as one command line of any login shell that knows
// single quotes.
func quote(argv []string) string {
	quoted := make([]string, len(argv))
	for i, a := range argv {
		if a != "" && strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+") == "" {
			quoted[i] = a
		} else {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'"'"'`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
