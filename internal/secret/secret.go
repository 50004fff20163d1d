// Package secret holds values that must not be shown: passwords, keys, tokens.
//
// A Value prints, logs and marshals to JSON and text as Mask. Only Reveal and
// the gob encoding, which is how values travel to the agent over SSH, carry the
// secret itself.
package secret

import "log/slog"

// Mask is what stands for a secret in anything that people or logs see.
const Mask = "******"

// Value is a secret. The zero Value is the empty secret.
type Value struct{ text string }

// New wraps text.
func New(text string) Value { return Value{text} }

// Reveal returns the secret itself. Call it only where the secret is used.
func (v Value) Reveal() string { return v.text }

// IsEmpty reports whether there is no secret.
func (v Value) IsEmpty() bool { return v.text == "" }

// String returns Mask, or "" for the empty secret.
func (v Value) String() string {
	if v.text == "" {
		return ""
	}
	return Mask
}

// GoString returns what String returns, so that %#v shows nothing more.
func (v Value) GoString() string { return v.String() }

// LogValue keeps the secret out of structured logs.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText returns what String returns.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// GobEncode encodes the secret itself, for the connection to the agent.
func (v Value) GobEncode() ([]byte, error) { return []byte(v.text), nil }

// GobDecode is the inverse of GobEncode.
func (v *Value) GobDecode(b []byte) error { v.text = string(b); return nil }
