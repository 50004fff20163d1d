package inventory

import (
	"errors"
	"fmt"
	"strconv"

	"pigsty/internal/diag"
	"pigsty/internal/secret"
	"pigsty/internal/vault"
)

// opener decrypts what Ansible Vault has encrypted, and keeps what it found.
type opener struct {
	keys  *vault.Keyring
	texts []secret.Value
}

// lockedAdvice says how to give the password of a vault.
const lockedAdvice = "give the password of the vault: --vault-password-file FILE, --ask-vault-pass or $ANSIBLE_VAULT_PASSWORD_FILE"

// Locked is what there is to say about a value that stays encrypted, where what
// names it.
func Locked(pos diag.Pos, what string) diag.Diagnostic {
	return diag.Diagnostic{Code: "locked-value", Pos: pos, Message: what + " is encrypted with Ansible Vault and was not decrypted", Advice: lockedAdvice}
}

// file decrypts the text of a whole file.
func (o *opener) file(src Source, diags *diag.List) ([]byte, bool) {
	text, err := o.keys.Open(string(src.Data))
	pos := diag.Pos{File: src.Name, Line: 1, Col: 1}
	switch {
	case err == nil:
		return []byte(text), true
	case errors.Is(err, vault.ErrLocked):
		d := Locked(pos, "the whole file")
		d.Code = "vault-file"
		diags.Add(d)
	default:
		diags.Add(cannotOpen(pos, "the file", err))
	}
	return nil, false
}

// value decrypts v, unless there is no key; then it stays as it is.
func (o *opener) value(v Value, diags *diag.List) Value {
	text, err := o.keys.Open(v.Text)
	switch {
	case err == nil:
		v.Tag, v.Text, v.Secret = TagUnsafe, text, true
		o.keep(text)
	case errors.Is(err, vault.ErrLocked):
	default:
		diags.Add(cannotOpen(v.Pos, "the value", err))
	}
	return v
}

// keep remembers a text as one that must not be shown.
func (o *opener) keep(text string) { o.texts = append(o.texts, secret.New(text)) }

func cannotOpen(pos diag.Pos, what string, err error) diag.Diagnostic {
	return diag.Diagnostic{
		Code: "vault", Pos: pos, Message: fmt.Sprintf("%s cannot be decrypted with Ansible Vault: %v", what, err),
		Advice: "check the password, and that the text is whole: ansible-vault view shows what it holds",
	}
}

// unquoted returns d, which is about a decrypted text, without what it may quote
// of that.
func unquoted(d diag.Diagnostic) diag.Diagnostic {
	at := ""
	if d.Pos.Line > 0 {
		at = " in line " + strconv.Itoa(d.Pos.Line)
	}
	d.Message, d.Advice = "the decrypted text is no valid YAML"+at, "edit it with ansible-vault edit"
	return d
}
