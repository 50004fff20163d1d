package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/resource"
)

// Trust has rpm know the keys that the packages of a repository are signed
// with, so that dnf can check each of them besides the index. The keys are
// those of upstreams; the deployment's key has signed the list of them.
type Trust struct {
	URL       string // of the repository
	PublicKey []byte // the deployment's, in armor
}

// Key returns "package keys of " and the URL without what may be a password in it.
func (t *Trust) Key() string { return "package keys of " + fetch.Shown(t.URL) }

// Diff compares the keys that the repository lists with those in rpm's database.
func (t *Trust) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, trustLook)
	defer cancel()
	missing, _, err := t.missing(ctx, h)
	var absent *fetch.NotFound
	if _, statErr := h.Files.Stat(clientSourceRPM); statErr == nil && errors.Is(err, errUnreachable) {
		return resource.Change{Skipped: "the repository does not answer, so that its keys cannot be compared"}, nil
	}
	switch {
	case errors.As(err, &absent) || errors.Is(err, errUnreachable):
		return resource.Change{Action: resource.Create, Reason: "the repository cannot be read yet", Unknown: "the repository is built"}, nil
	case err != nil || len(missing) == 0:
		return resource.Change{}, err
	}
	c := resource.Change{Action: resource.Create, Reason: "rpm does not know them"}
	for _, id := range missing {
		c.Attrs = append(c.Attrs, resource.Attr{Name: id, New: "known"})
	}
	return c, nil
}

// Apply has rpm import the keys.
func (t *Trust) Apply(ctx context.Context, h *resource.Host) error {
	missing, keys, err := t.missing(ctx, h)
	if err != nil || len(missing) == 0 {
		return err
	}
	file, err := os.CreateTemp("", "pigsty-keys-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(keys)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	_, err = h.Commands.Run(ctx, resource.Command{Args: []string{"rpm", "--import", file.Name()}})
	return err
}

const (
	// clientSourceRPM is there on hosts that have used the repository before.
	clientSourceRPM = "/etc/yum.repos.d/local.repo"
	trustLook       = 20 * time.Second // what the repository may take to answer when a plan asks
)

// errUnreachable is wrapped by errors of a server that does not answer.
var errUnreachable = errors.New("the repository does not answer")

// missing returns the fingerprints of keys that rpm does not know, and all keys
// that the repository lists.
func (t *Trust) missing(ctx context.Context, h *resource.Host) (ids []string, keys []byte, err error) {
	c := fetch.New(fetch.Proxies{})
	c.Retries = 1
	keys, err = c.Get(ctx, t.URL+"/"+PackageKeys)
	var absent *fetch.NotFound
	if err != nil && !errors.As(err, &absent) {
		err = fmt.Errorf("%w (is the infra node up?): %w", errUnreachable, err)
	}
	if err != nil {
		return nil, nil, err
	}
	signature, err := c.Get(ctx, t.URL+"/"+PackageKeys+signatureOf)
	if err != nil {
		return nil, nil, err
	}
	own := &pgp.Keyring{}
	if err := own.Add(t.PublicKey); err != nil {
		return nil, nil, err
	}
	if _, err := own.VerifyDetached(keys, signature); err != nil {
		return nil, nil, fmt.Errorf("%s cannot be trusted: build the repository again with `pigsty infra -t repo`: %w", fetch.Shown(t.URL+"/"+PackageKeys), err)
	}
	ring := &pgp.Keyring{}
	if err := ring.Add(keys); err != nil {
		return nil, nil, err
	}
	out, err := h.Commands.Run(ctx, resource.Command{Args: []string{"rpm", "-q", "gpg-pubkey", "--queryformat", `%{VERSION}\n`}})
	var failed *resource.CommandError
	if err != nil && !errors.As(err, &failed) { // it fails where there are none
		return nil, nil, err
	}
	known := strings.Fields(strings.ToLower(string(out)))
	for _, id := range ring.Fingerprints() {
		// rpm names a key by the last eight digits; newer ones by the whole.
		if id := strings.ToLower(id); !slices.ContainsFunc(known, func(k string) bool { return len(k) >= 8 && strings.HasSuffix(id, k) }) {
			ids = append(ids, id)
		}
	}
	return ids, keys, nil
}
