package conf

import (
	"crypto/rand"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// secretKey matches the names that passwords have in templates: parameters, and
// fields of users and of backup repositories.
var secretKey = regexp.MustCompile(`^(?:[a-z_]*password|[a-z_]*secret_key|s3_key_secret|cipher_pass)$`)

// setPasswords puts a new password in place of every published one and returns
// how many it made.
//
// What is published under one name, such as DBUser.Viewer, belongs to one
// account and stays the same everywhere: for the user in pg_users and for
// Grafana, which logs in as it. "pigsty" is everybody's, so each parameter that
// says so gets its own.
func (d *document) setPasswords() int {
	made := map[string]string{}
	walk(d.all, func(k, v *yaml.Node) {
		if v.Kind != yaml.ScalarNode || v.Value == "" || !secretKey.MatchString(k.Value) {
			return
		}
		account := v.Value
		if account == "pigsty" {
			account = k.Value
		}
		if made[account] == "" {
			made[account] = newPassword()
		}
		d.replace(v, made[account])
	})
	return len(made)
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"

	passwordLength = 24 // characters, worth 142 bits
)

// newPassword returns a random password of letters and digits, which need no
// quoting in YAML, URLs or shells. It begins with a letter and holds all three
// kinds, as checks of strength ask for.
func newPassword() string {
	const alphabet = lower + upper + digits
	for {
		var b strings.Builder
		for b.Len() < passwordLength {
			var random [1]byte
			_, _ = rand.Read(random[:])                      // never fails
			if n := int(random[0]) & 63; n < len(alphabet) { // even odds for each
				b.WriteByte(alphabet[n])
			}
		}
		p := b.String()
		if strings.ContainsAny(p, lower) && strings.ContainsAny(p, upper) && strings.ContainsAny(p, digits) && !strings.ContainsAny(p[:1], digits) {
			return p
		}
	}
}
