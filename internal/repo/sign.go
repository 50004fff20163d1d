package repo

import (
	"bytes"
	"context"
	"errors"

	"pigsty/internal/repo/pgp"
	"pigsty/internal/resource"
)

// What a host asks the control side to sign begins with the form that the
// signature is to have.
const (
	clearForm    = "clear\n"    // the text with the signature around it
	detachedForm = "detached\n" // the signature alone
)

// signer returns what has the control side sign for b.
func (b *Build) signer(ctx context.Context, h *resource.Host) signer {
	return func(data []byte, clear bool) ([]byte, error) {
		form := detachedForm
		if clear {
			form = clearForm
		}
		return h.Control.Sign(ctx, b.Key(), append([]byte(form), data...))
	}
}

// Sign is the control side's answer to what a Build asks it to sign.
func Sign(key *pgp.Key, request []byte) ([]byte, error) {
	if text, ok := bytes.CutPrefix(request, []byte(clearForm)); ok {
		return key.SignClear(text)
	}
	if data, ok := bytes.CutPrefix(request, []byte(detachedForm)); ok {
		return key.SignDetached(data)
	}
	return nil, errors.New("what the host wants signed is in no form that is known")
}
