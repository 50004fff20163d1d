package param

import (
	gopath "path"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/inventory"
)

// formatExamples are two values of each format that is no range, in the ranges
// that are set aside for documents (RFC 5737, RFC 2606).
var formatExamples = map[string][2]string{
	"ip":          {"192.0.2.100", "192.0.2.101"},
	"cidr":        {"192.0.2.100/24", "192.0.2.101/24"},
	"address":     {"192.0.2.100/24", "192.0.2.101/24"},
	"bind":        {"192.0.2.100", "*"},
	"hba-address": {"192.0.2.0/24", "intra"},
	"path":        {"/srv/example", "/srv/other"},
	"interval":    {"30s", "1min"},
	"size":        {"64MB", "1GB"},
	"username":    {"app", "app_owner"},
	"name":        {"example", "other"},
	"hostname":    {"app", "db.example.com"},
	"url":         {"https://www.example.com", "https://www.example.org"},
	"date":        {"2030-12-31", "infinity"},
	"lsn":         {"0/2A000060", "0/3000028"},
	"sha256":      {strings.Repeat("ab", 32), strings.Repeat("cd", 32)},
	"hosts":       {"192.0.2.100 app.example.com", "192.0.2.101 www.example.com"},
	"cron":        {"30 2 * * * /pg/bin/pg-backup full", "@daily /pg/bin/pg-backup"},
	"crontab":     {"30 2 * * * root /bin/true", "@daily root /bin/true"},
	"ntp":         {"server ntp.example.com iburst", "pool ntp.example.org iburst"},
	"timezone":    {"Europe/Vienna", "UTC"},
	"snapshot":    {"600 100", "1200 1"},
	"endpoint":    {"192.0.2.100 6379", "192.0.2.101 6379"},
}

// patternExamples are tried in turn on what only a regular expression restricts.
var patternExamples = []string{"200", "example", "latest", "default"}

// text returns a text of s: another of those it offers, one of its format, or
// what the default and the rest of the catalogue suggest.
func (e exampler) text(s *shape, not inventory.Value) inventory.Value {
	for _, try := range e.texts(s, not.Text) {
		if _, fault := s.rule.text(try); try != not.Text && fault == nil {
			return plain(try)
		}
	}
	return inventory.Value{}
}

// texts are what text chooses from, the best first. They may be wrong.
func (e exampler) texts(s *shape, not string) []string {
	if s.kind == secretKind {
		return []string{"Change.Me"}
	}
	if r := s.rule; r != nil {
		known := formatExamples[r.format]
		switch {
		case r.enum != nil:
			return []string{neighbour(r.enum, not)}
		case r.usual != nil:
			return []string{neighbour(r.usual, not)}
		case r.pattern != nil:
			return patternExamples
		case r.format == "path" && gopath.Base(not) != "." && gopath.Base(not) != "/":
			return []string{"/srv/" + gopath.Base(not), known[0]}
		case r.format == "interval" || r.format == "size":
			return append(doubled(not), known[:]...)
		case r.format != "":
			return known[:]
		}
	}
	if n, err := strconv.Atoi(not); err == nil {
		return []string{strconv.Itoa(2 * n), strconv.Itoa(n + 1)}
	}
	return append(append(e.keys(not), e.mentioned(not)...), append(shortened(not), "example", "other")...)
}

// keys returns the other keys of a mapping that the catalogue has by default
// and that not is a key of: the entry of pgbackrest_repo for pgbackrest_method.
func (e exampler) keys(not string) []string {
	for _, p := range e.catalogue.list {
		if _, ok := p.Default.Get(not); !ok || p.Group != e.parameter.Group {
			continue
		}
		var out []string
		for _, pair := range p.Default.Pairs {
			out = append(out, pair.Key)
		}
		return out
	}
	return nil
}

// mentioned returns the words of the parameter's doc that end like not, which
// is a file name.
func (e exampler) mentioned(not string) []string {
	suffix := gopath.Ext(not)
	if suffix == "" || suffix == "." {
		return nil
	}
	return slices.DeleteFunc(strings.FieldsFunc(e.parameter.Doc, func(r rune) bool { return strings.ContainsRune(" ,;()", r) }), func(word string) bool {
		return word == not || gopath.Ext(word) != suffix
	})
}

// shortened returns a list, separated by commas or blanks, without its last item.
func shortened(list string) []string {
	if i := strings.LastIndexAny(list, ", "); i > 0 {
		return []string{strings.TrimRight(list[:i], ", ")}
	}
	return nil
}

// doubled returns twice a quantity, nothing if it has no number.
func doubled(quantity string) []string {
	digits := strings.TrimRight(quantity, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	n, err := strconv.Atoi(digits)
	if err != nil || n == 0 {
		return nil
	}
	return []string{strconv.Itoa(2*n) + quantity[len(digits):]}
}

// neighbour returns the one of list before not, else the one after it, but
// rather none of those that turn things off.
func neighbour(list []string, not string) string {
	i := max(slices.Index(list, not), 0)
	near := slices.Concat(list[max(i-1, 0):i], list[i+1:])
	for _, try := range near {
		if !slices.Contains([]string{"none", "off", "disable", "disabled"}, try) {
			return try
		}
	}
	return first(near)
}

// plain is a scalar as it would be written without quotes.
func plain(text string) inventory.Value {
	v, err := parseYAML([]byte(text))
	if err != nil || v.Kind == inventory.List || v.Kind == inventory.Map || v.Kind == inventory.Null || v.Text != text {
		return inventory.Value{Kind: inventory.String, Text: text}
	}
	return v
}
