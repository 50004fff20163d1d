package param

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// format is a named form of text, or of a number.
type format struct {
	form     string // completes "must be"
	advice   string
	valid    func(string) bool
	pattern  string // for the JSON Schema, where a regular expression can say it
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
	"hosts":    matching("an address followed by names", "write it like 10.10.10.10 i.pigsty", `^[0-9A-Fa-f:.]+(\s+\S+)+$`),
	"cron":     {form: "a crontab line: five time fields and a command", advice: "write it like 00 01 * * * /pg/bin/pg-backup full", valid: func(s string) bool { return isCron(s, 1) }},
	"crontab":  {form: "a crontab line: five time fields, a user and a command", advice: "write it like 00 01 * * * root /bin/true", valid: func(s string) bool { return isCron(s, 2) }},
	"endpoint": {form: "an address and a port", advice: "write it like 10.10.10.10 6379", valid: isAddrPort},
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

var (
	cronField = regexp.MustCompile(`^[0-9A-Za-z*,/~-]+$`)
	cronEnv   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]* *=`)
)

// isCron accepts a crontab line whose time is followed by at least n words;
// comments and variable settings too.
func isCron(s string, n int) bool {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "#") || cronEnv.MatchString(s) {
		return true
	}
	parts := strings.Fields(s)
	if strings.HasPrefix(s, "@") {
		return len(parts) >= 1+n
	}
	if len(parts) < 5+n {
		return false
	}
	for _, p := range parts[:5] {
		if !cronField.MatchString(p) {
			return false
		}
	}
	return true
}
