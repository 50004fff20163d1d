package param

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// cronField is one of the five time fields of a crontab line.
type cronField struct {
	name      string
	low, high int
	words     []string // for low and up, in lower case
}

var cronFields = []cronField{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	{"day of the week", 0, 7, strings.Fields("sun mon tue wed thu fri sat sun")},
}

// cronTimes are the words that stand for all five fields.
var cronTimes = strings.Fields("@reboot @yearly @annually @monthly @weekly @daily @midnight @hourly")

var cronSetting = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]* *=`)

// cronFault returns what is wrong with a crontab line whose time is followed by
// at least words words, the user and the command, say; "" if nothing is.
// Comments and settings are lines too.
func cronFault(line string, words int) string {
	line = strings.TrimSpace(line)
	if strings.ContainsAny(line, "\n\r") {
		return "it holds several lines"
	}
	if line == "" || line[0] == '#' || cronSetting.MatchString(line) {
		return ""
	}
	parts := strings.Fields(line)
	if line[0] == '@' {
		if !slices.Contains(cronTimes, strings.ToLower(parts[0])) {
			return parts[0] + " is none of " + strings.Join(cronTimes, ", ")
		}
		if len(parts) < 1+words {
			return "too little follows " + parts[0]
		}
		return ""
	}
	if len(parts) < len(cronFields)+words {
		return fmt.Sprintf("it has %d words of at least %d", len(parts), len(cronFields)+words)
	}
	for i, f := range cronFields {
		if fault := f.fault(parts[i]); fault != "" {
			return fault
		}
	}
	return ""
}

// fault returns what is wrong with a field: a list of numbers, words and
// ranges, each with a step or not.
func (f cronField) fault(text string) string {
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1) {
			return fmt.Sprintf("the %s %s has no step after its slash", f.name, part)
		}
		if fault := f.spanFault(span); fault != "" {
			return fault
		}
	}
	return ""
}

// spanFault returns what is wrong with a number, word or range. Between the ends
// of a range, ~ stands for a random number in it (cronie); these ends may be
// left out.
func (f cronField) spanFault(span string) string {
	random := strings.Contains(span, "~")
	if span == "*" || span == "~" {
		return ""
	}
	from, to, ranged := strings.Cut(strings.Replace(span, "~", "-", 1), "-")
	low, high, ok := f.low, f.high, true
	if !random || from != "" {
		if low, ok = f.number(from); !ok {
			return fmt.Sprintf("the %s %s is not from %d to %d", f.name, from, f.low, f.high)
		}
	}
	if ranged && (!random || to != "") {
		if high, ok = f.number(to); !ok {
			return fmt.Sprintf("the %s %s is not from %d to %d", f.name, to, f.low, f.high)
		}
	}
	if ranged && high < low {
		return fmt.Sprintf("the %s goes from %s down to %s", f.name, from, to)
	}
	return ""
}

// number reads a number or word of the field.
func (f cronField) number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	if err == nil {
		return n, n >= f.low && n <= f.high && text[0] != '+'
	}
	if i := slices.Index(f.words, strings.ToLower(text)); i >= 0 {
		return f.low + i, true
	}
	return 0, false
}
