package param

import (
	"log/slog"

	"pigsty/internal/secret"
)

// Setting is a value of a free-form mapping, some of whose keys name secrets.
// A secret one prints and marshals as secret.Mask.
type Setting struct {
	text   string
	secret bool
}

// NewSetting returns a Setting; isSecret says whether it must be masked.
func NewSetting(text string, isSecret bool) Setting { return Setting{text, isSecret} }

// Reveal returns the value, secret or not. Call it only where it is used.
func (s Setting) Reveal() string { return s.text }

// IsSecret reports whether the value must not be shown.
func (s Setting) IsSecret() bool { return s.secret }

// String returns the value, or secret.Mask for a secret.
func (s Setting) String() string {
	if s.secret {
		return secret.New(s.text).String()
	}
	return s.text
}

// GoString returns what String returns, so that %#v shows nothing more.
func (s Setting) GoString() string { return s.String() }

// LogValue keeps secrets out of structured logs.
func (s Setting) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String returns.
func (s Setting) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
