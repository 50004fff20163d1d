package inventory

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// booleans are the words that are a Bool when written without quotes.
var booleans = map[string]bool{
	"yes": true, "Yes": true, "YES": true, "no": false, "No": false, "NO": false,
	"true": true, "True": true, "TRUE": true, "false": false, "False": false, "FALSE": false,
	"on": true, "On": true, "ON": true, "off": false, "Off": false, "OFF": false,
}

// What PyYAML 6 takes for numbers, less the sexagesimal ones (1:30 stays text:
// nobody means 90), plus the octal notation of YAML 1.2 (0o17), which PyYAML
// reads as text.
var (
	intForm   = regexp.MustCompile(`^[-+]?(?:0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$`)
	floatForm = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// scalarKind returns what YAML 1.1 takes text for when it is written without
// quotes. Timestamps are strings, and so are integers that need more than 64
// bits.
func scalarKind(text string) Kind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return Null
	}
	if _, ok := booleans[text]; ok {
		return Bool
	}
	if c := text[0]; c != '.' && c != '-' && c != '+' && (c < '0' || c > '9') {
		return String // most words: spare them the expressions
	}
	if intForm.MatchString(text) {
		if _, ok := parseInt(text); ok {
			return Int
		}
		return String
	}
	if floatForm.MatchString(text) {
		return Float
	}
	return String
}

// parseInt returns the number that a text of intForm stands for, and whether it
// fits into 64 bits.
func parseInt(text string) (int64, bool) {
	digits := strings.ReplaceAll(text, "_", "")
	sign := ""
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		sign, digits = digits[:1], digits[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(digits, "0b"):
		base, digits = 2, digits[2:]
	case strings.HasPrefix(digits, "0x"):
		base, digits = 16, digits[2:]
	case strings.HasPrefix(digits, "0o"):
		base, digits = 8, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, digits = 8, digits[1:]
	}
	n, err := strconv.ParseInt(sign+digits, base, 64)
	return n, err == nil
}

// parseFloat returns the number that a text of floatForm stands for.
func parseFloat(text string) float64 {
	text = strings.ToLower(strings.ReplaceAll(text, "_", ""))
	switch text {
	case ".nan":
		return math.NaN()
	case ".inf", "+.inf":
		return math.Inf(1)
	case "-.inf":
		return math.Inf(-1)
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f
}
