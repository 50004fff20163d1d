package param

import (
	"cmp"
	_ "embed"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pigsty/internal/diag"
)

// format is a named form of text, or of a number.
type format struct {
	form     string // completes "must be"
	advice   string
	valid    func(string) bool
	fault    func(string) string // in place of valid: what is wrong, "" if nothing is
	names    func() []string     // what is known; another value is doubtful
	pattern  string              // for the JSON Schema, where a regular expression can say it
	min, max *float64
}

// matching makes a format of a regular expression.
func matching(form, advice, pattern string) format {
	return format{form: form, advice: advice, valid: regexp.MustCompile(pattern).MatchString, pattern: pattern}
}

// ranged makes a format of a range of integers.
func ranged(form string, low, high float64) format {
	return format{form: form, min: &low, max: &high}
}

// hbaAliases are the names that a rule's addr may have instead of an address.
var hbaAliases = []string{"local", "localhost", "admin", "infra", "cluster", "intra", "intranet", "world", "all"}

//go:embed timezones.txt
var timezoneNames string

// timezones are the time zones of the tz database, release 2025.
var timezones = sync.OnceValue(func() []string { return strings.Fields(timezoneNames) })

// formats are the values that the tag format may have.
var formats = map[string]format{
	"ip":   {form: "an IP address", advice: "write it like 10.10.10.10", valid: isIP},
	"cidr": {form: "an address with a prefix length", advice: "write it like 10.10.10.2/24", valid: isCIDR},
	"address": {
		form: "an IP address, with or without a prefix length", advice: "write it like 10.10.10.2/24",
		valid: func(s string) bool { return isIP(s) || isCIDR(s) },
	},
	"bind": {form: "an IP address or *", valid: func(s string) bool { return s == "*" || isIP(s) }},
	"hba-address": {
		form:   "one of " + strings.Join(hbaAliases, ", ") + " or an address with a prefix length",
		advice: "write it like intra or 10.0.0.0/8",
		valid:  func(s string) bool { return slices.Contains(hbaAliases, s) || isIP(s) || isCIDR(s) },
	},
	"port":     ranged("a port", 1, 65535),
	"path":     matching("an absolute path", "begin it with /", `^[/~]`),
	"interval": matching("a length of time", "write it like 30s, 10min, 24h or 7d", `^[0-9]+(\.[0-9]+)? *(us|ms|s|sec|secs|m|min|mins|h|hour|hours|d|day|days|w|week|weeks|mon|month|months|y|year|years)?$`),
	"size":     matching("a size", "write it like 64MiB or 1GB", `^[0-9]+(\.[0-9]+)? *([kKmMgGtTpP]i?)?[bB]?$`),
	"username": matching("a user name", "use lower-case letters, digits and _ @ . -, at most 63, the first a letter or _", `^[a-z_][a-z0-9_@.-]{0,62}$`),
	"name":     matching("a name of letters, digits and dashes", "", `^[A-Za-z0-9-]+$`),
	"hostname": matching("a host name", "use letters, digits, dots and dashes", `^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$`),
	"url":      matching("a URL", "begin it with a scheme, such as https://", `^[a-z][a-z0-9+.-]*://`),
	"date":     matching("a date or infinity", "write it like 2030-12-31", `^(infinity|[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?)$`),
	"lsn":      matching("a log position", "write it like 0/2A000060", `^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$`),
	"sha256":   matching("a SHA-256", "write its 64 digits, as sha256sum prints them", `^[0-9A-Fa-f]{64}$`),
	"hosts":    {form: "an address followed by names", advice: "write it like 10.10.10.10 i.pigsty", fault: hostsFault},
	"cron": {
		form: "a crontab line: five time fields and a command", advice: "write it like 00 01 * * * /pg/bin/pg-backup full",
		fault: func(s string) string { return cronFault(s, 1) },
	},
	"crontab": {
		form: "a crontab line: five time fields, a user and a command", advice: "write it like 00 01 * * * root /bin/true",
		fault: func(s string) string { return cronFault(s, 2) },
	},
	"ntp": matching("a line of chrony that names a source of time", "write it like pool pool.ntp.org iburst", `^(server|pool|peer|refclock) +[^ ].*$`),
	"timezone": {
		form: "a time zone", advice: "write it like UTC or Europe/Vienna",
		valid: regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+_-]*(/[A-Za-z0-9+_-]+){0,2}$`).MatchString, names: timezones,
	},
	"snapshot": matching("seconds and a number of changes", "write it like 1200 1", `^[0-9]+ +[0-9]+$`),
	"endpoint": {form: "an address and a port", advice: "write it like 10.10.10.10 6379", valid: isAddrPort},
}

// check returns what f has against s, nil if nothing.
func (f format) check(s string) *fault {
	wrong := &fault{code: "invalid-format", must: "must be " + f.form, advice: f.advice}
	switch {
	case f.valid != nil && !f.valid(s):
		return wrong
	case f.fault != nil:
		if why := f.fault(s); why != "" {
			wrong.advice = why + "; " + f.advice
			return wrong
		}
	case f.names != nil && !slices.Contains(f.names(), s):
		doubt := &fault{severity: diag.Warning, code: "unusual-value", must: "is usually " + f.form + " that is known", advice: f.advice}
		if near := diag.Nearest(s, slices.Values(f.names())); near != "" {
			doubt.advice = "write " + near
		}
		return doubt
	}
	return nil
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func isCIDR(s string) bool {
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// isAddrPort accepts "10.10.10.10 6379", as a Redis replica names its primary.
func isAddrPort(s string) bool {
	parts := strings.Fields(s)
	if len(parts) != 2 {
		return false
	}
	_, err := netip.ParseAddrPort(parts[0] + ":" + parts[1])
	return err == nil
}

// recordName is a name in a line of /etc/hosts.
var recordName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// hostsFault returns what is wrong with a line of /etc/hosts.
func hostsFault(s string) string {
	s, _, _ = strings.Cut(s, "#")
	parts := strings.Fields(s)
	if len(parts) == 0 {
		return ""
	}
	if !isIP(parts[0]) {
		return parts[0] + " is no IP address"
	}
	if len(parts) == 1 {
		return "no name follows the address"
	}
	for _, name := range parts[1:] {
		if !recordName.MatchString(name) {
			return name + " is no host name"
		}
	}
	return ""
}

// spans are the units of the format interval that make sense where days are meant.
var spans = []struct {
	names  string
	length time.Duration
}{
	{"m min mins", time.Minute}, {"h hour hours", time.Hour},
	{"d day days", day}, {"w week weeks", 7 * day}, {"mon month months", 30 * day}, {"y year years", 365 * day},
}

const day = 24 * time.Hour

// Days reads a length of time of the format interval, such as 365d, 52w or 1y. A
// number without a unit counts days. It is an error if there is no such length, or
// if it is over two hundred years.
func Days(text string) (time.Duration, error) {
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseFloat(number, 64)
	unit := time.Duration(0)
	for _, s := range spans {
		if slices.Contains(strings.Fields(s.names), cmp.Or(strings.TrimSpace(text[len(number):]), "d")) {
			unit = s.length
		}
	}
	if length := n * float64(unit); err == nil && length > 0 && length <= float64(200*365*day) {
		return time.Duration(length), nil
	}
	return 0, fmt.Errorf("%q is no length of time that can be counted in days: write it like 365d", text)
}
