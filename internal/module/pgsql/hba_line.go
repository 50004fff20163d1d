package pgsql

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// What a line of pg_hba.conf may begin with, and the methods that it may end
// with (PostgreSQL 18, PgBouncer 1.24).
var (
	hbaTypes      = []string{"local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"}
	hbaIncludes   = []string{"include", "include_if_exists", "include_dir"}
	hbaMethods    = []string{"trust", "reject", "scram-sha-256", "md5", "password", "gss", "sspi", "ident", "peer", "ldap", "radius", "cert", "pam", "bsd", "oauth"}
	poolerMethods = []string{"trust", "reject", "scram-sha-256", "md5", "password", "peer", "cert", "ldap", "pam"}
)

var (
	hbaHost   = regexp.MustCompile(`^\.?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	hbaOption = regexp.MustCompile(`^[a-z_]+=`)
)

// hbaParts is what follows the type of a line, by the number of fields.
var hbaParts = map[int]string{3: "database, user and method", 4: "database, user, address and method"}

// hbaFields splits a line as PostgreSQL does: at blanks, except in quotes and
// after a comma, up to a comment. Each field is a list of names.
func hbaFields(line string) (fields [][]string, fault string) {
	var field []string
	more := false // whether a comma says that the field goes on
	for {
		line = strings.TrimLeft(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			break
		}
		word, rest, fault := hbaWord(line)
		if fault != "" {
			return nil, fault
		}
		field = append(field, word)
		more = strings.HasPrefix(rest, ",")
		line = strings.TrimPrefix(rest, ",")
		if !more {
			fields, field = append(fields, field), nil
		}
	}
	if more {
		return nil, "a comma has nothing after it"
	}
	return fields, ""
}

// hbaWord takes the first name off a line.
func hbaWord(line string) (word, rest, fault string) {
	if line[0] == '"' {
		word, rest, ok := strings.Cut(line[1:], `"`)
		if !ok {
			return "", "", "a quote is not closed"
		}
		return word, rest, ""
	}
	end := strings.IndexAny(line, " \t\r\n,#")
	switch {
	case end < 0:
		return line, "", ""
	case end == 0:
		return "", "", "a comma has nothing before it"
	}
	return line[:end], line[end:], ""
}

// hbaFault returns what is wrong with a line of the access rules of PostgreSQL
// or, with pooler, of PgBouncer; "" for a line that is right or only a comment.
func hbaFault(line string, pooler bool) string {
	if strings.ContainsAny(strings.TrimRight(line, "\n"), "\n\r\x00") {
		return "it holds several lines; write each as an item of its own"
	}
	fields, fault := hbaFields(line)
	if fault != "" || len(fields) == 0 {
		return fault
	}
	kind := fields[0][0]
	if slices.Contains(hbaIncludes, kind) && len(fields) == 2 && !pooler {
		return ""
	}
	if !slices.Contains(hbaTypes, kind) || len(fields[0]) > 1 {
		return fmt.Sprintf("it begins with %s instead of one of %s", kind, strings.Join(hbaTypes, ", "))
	}
	rest := fields[1:]
	need := 4
	if kind == "local" {
		need = 3
	}
	if len(rest) < need {
		return "it is too short: a " + kind + " line has " + hbaParts[need]
	}
	rest = rest[2:]
	if kind != "local" {
		if rest, fault = hbaAddress(rest); fault != "" {
			return fault
		}
	}
	methods := hbaMethods
	if pooler {
		methods = poolerMethods
	}
	if !slices.Contains(methods, rest[0][0]) {
		return fmt.Sprintf("%s is no method; they are %s", rest[0][0], strings.Join(methods, ", "))
	}
	for _, option := range rest[1:] {
		if !hbaOption.MatchString(option[0]) {
			return option[0] + " is no option of the form name=value"
		}
	}
	return ""
}

// hbaAddress takes an address, and its mask if it is written apart, off fields.
func hbaAddress(fields [][]string) (rest [][]string, fault string) {
	address := fields[0][0]
	if len(fields[0]) > 1 {
		return nil, "it has several addresses; write a line for each"
	}
	switch _, err := netip.ParseAddr(address); {
	case slices.Contains([]string{"all", "samehost", "samenet"}, address):
	case strings.Contains(address, "/"):
		if _, err := netip.ParsePrefix(address); err != nil {
			return nil, address + " is no address with a prefix length"
		}
	case err == nil:
		if len(fields) < 3 {
			return nil, address + " needs a prefix length, such as " + address + hostMask(address)
		}
		if _, err := netip.ParseAddr(fields[1][0]); err != nil {
			return nil, address + " needs a prefix length, such as " + address + hostMask(address)
		}
		return fields[2:], ""
	case strings.Trim(address, "0123456789.") == "" || !hbaHost.MatchString(address):
		return nil, address + " is no address"
	}
	return fields[1:], ""
}
