package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Certbot is a certificate of Let's Encrypt, which certbot requests by way of
// a web server that runs already, and renews by itself from then on.
type Certbot struct {
	Name    string   // of the certificate, as certbot calls it
	Domains []string // that it is for
	Email   string   // whom Let's Encrypt writes to
	Webroot string   // directory that the web server publishes
	Options []string // further options of certbot
	Links   []*Link  // that lead to the certificate and its key once they are there
	Server  *Unit    // what reads them

	After []string // keys of resources that come before this one
}

var (
	_ Resource = (*Certbot)(nil)
	_ Requirer = (*Certbot)(nil)
)

// Key returns "certbot " and the name.
func (c *Certbot) Key() string { return "certbot " + c.Name }

// Requires returns what must be there for the request to be answered.
func (c *Certbot) Requires() []string { return c.After }

// Diff is a Run if there is no certificate, or one for other domains.
func (c *Certbot) Diff(_ context.Context, h *Host) (Change, error) {
	data, err := h.Files.Read("/etc/letsencrypt/live/" + c.Name + "/fullchain.pem")
	if errors.Is(err, fs.ErrNotExist) {
		return Change{Action: Run, Reason: "there is no certificate yet", Attrs: []Attr{{Name: "domains", New: list(c.Domains)}}, Impact: ImpactReload}, nil
	}
	if err != nil {
		return Change{}, err
	}
	cert, err := parseCert(data)
	if err != nil {
		return Change{}, fmt.Errorf("the certificate %s of certbot: %w", c.Name, err)
	}
	for _, domain := range c.Domains {
		if !slices.Contains(cert.DNSNames, domain) {
			return Change{Action: Run, Reason: "it is for other domains", Attrs: []Attr{{"domains", list(cert.DNSNames), list(c.Domains)}}, Impact: ImpactReload}, nil
		}
	}
	return Change{}, nil
}

// Apply requests the certificate, and has the server read it.
func (c *Certbot) Apply(ctx context.Context, h *Host) error {
	args := []string{"certbot", "certonly", "--webroot", "-w", c.Webroot, "--cert-name", c.Name, "--non-interactive", "--agree-tos", "--expand",
		"--email", c.Email, "--deploy-hook", "systemctl reload " + c.Server.Name, "-d", strings.Join(c.Domains, ",")}
	if _, err := h.Commands.Run(ctx, Command{Args: append(args, c.Options...)}); err != nil {
		return err
	}
	for _, l := range c.Links {
		if err := l.Apply(ctx, h); err != nil {
			return err
		}
	}
	return c.Server.Apply(ctx, h)
}
