package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"pigsty/internal/engine"
	"pigsty/internal/module"
	"pigsty/internal/module/infra"
	"pigsty/internal/pki"
	"pigsty/internal/repo"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/resource"
	"pigsty/internal/resource/etcd"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
	"pigsty/internal/secret"
	"pigsty/internal/transport"
)

// validityOfCA is how long a CA that is created here is valid: 20 years, as the
// certificates that Pigsty issues.
const validityOfCA = 7300 * 24 * time.Hour

// registerResources makes every resource known to the wire format.
func registerResources() {
	resource.Register(resource.All()...)
	resource.Register(postgres.Resources()...)
	resource.Register(patroni.Resources()...)
	resource.Register(etcd.Resources()...)
	resource.Register(repo.Resources()...)
}

// target reads the connection variables of h.
func target(h *module.Host) (transport.Target, error) {
	text := func(name string) string {
		v, _ := h.Vars.Get(name)
		return v.Value.Text
	}
	t := transport.Target{
		Name: h.Name(), Address: text("ansible_host"), User: text("ansible_user"),
		KeyFile: text("ansible_ssh_private_key_file"), Connection: text("ansible_connection"),
		Password: secret.New(text("ansible_password")), BecomeUser: text("ansible_become_user"),
		BecomePassword: secret.New(text("ansible_become_password")), CommonArgs: text("ansible_ssh_common_args"),
	}
	if t.Password.IsEmpty() {
		t.Password = secret.New(text("ansible_ssh_pass"))
	}
	if port := text("ansible_port"); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return t, fmt.Errorf("%s: ansible_port must be a port, not %q", h.At("ansible_port"), port)
		}
		t.Port = n
	}
	if v, ok := h.Vars.Get("ansible_become"); ok {
		become, isBool := v.Value.Any().(bool)
		if !isBool {
			return t, fmt.Errorf("%s: ansible_become must be true or false", h.At("ansible_become"))
		}
		t.Become = &become
	}
	return t, nil
}

// passwords are asked for once and serve every host that has none of its own.
type passwords struct{ login, become secret.Value }

// askPasswords asks for the passwords that -k and -K name. As Ansible does, an
// empty answer for sudo means the one to log in with.
func (a *app) askPasswords() (p passwords, err error) {
	if !a.ask.login && !a.ask.become {
		return p, nil
	}
	if !isTerminal(a.in) {
		return p, errors.New("there is no terminal to ask for passwords on: use keys and NOPASSWD, or set ansible_password and ansible_become_password")
	}
	if a.ask.login {
		if p.login, err = a.readPassword("SSH password: "); err != nil {
			return p, err
		}
	}
	if a.ask.become {
		if p.become, err = a.readPassword("sudo password: "); err != nil {
			return p, err
		}
		if p.become.IsEmpty() {
			p.become = p.login
		}
	}
	return p, nil
}

// dialer returns how the engine starts the agent on a host.
func (r *run) dialer() (engine.Dial, error) {
	opts := transport.Options{Log: func(host, line string) {
		if host != "" {
			line = host + "  " + line
		}
		fmt.Fprintln(r.app.err, line)
	}}
	if isTerminal(r.app.in) {
		opts.AskPassword = r.app.readPassword
	}
	given, err := r.app.askPasswords()
	if err != nil {
		return nil, err
	}
	d := transport.New(opts)
	return func(ctx context.Context, name string) (io.ReadWriteCloser, error) {
		t, err := target(r.site.Host(name))
		if err != nil {
			return nil, err
		}
		if t.Password.IsEmpty() {
			t.Password = given.login
		}
		if t.BecomePassword.IsEmpty() {
			t.BecomePassword = given.become
		}
		s, err := d.Start(ctx, t)
		var failed *transport.Error
		if errors.As(err, &failed) && failed.Advice != "" {
			return nil, fmt.Errorf("%w; %s", err, failed.Advice)
		}
		if err != nil {
			return nil, err
		}
		return s, nil
	}, nil
}

// signer returns what signs for the hosts of the run: certificates, and the
// software repository.
func (r *run) signer() (engine.Signer, error) {
	if err := r.makeCA(); err != nil {
		return nil, err
	}
	if err := r.makeRepoKey(); err != nil {
		return nil, err
	}
	ca := sync.OnceValues(func() (*pki.CA, error) { return pki.Open(r.pkiDir()) })
	key := sync.OnceValues(func() (*pgp.Key, error) { return pgp.Open(r.pkiDir()) })
	return func(signed resource.Signed, what []byte) ([]byte, error) {
		switch t := signed.(type) {
		case *resource.Cert:
			issuer, err := ca()
			if err != nil {
				return nil, err
			}
			return issuer.Issue(pki.Request{
				CommonName: t.CommonName, Organization: t.Organization, OrganizationalUnit: t.Units, DNSNames: t.DNSNames, IPs: t.IPs,
				Validity: t.Validity, PublicKey: what, Server: true, Client: true,
			})
		case *resource.SSHCert:
			issuer, err := ca()
			if err != nil {
				return nil, err
			}
			return issuer.IssueSSH(what, t.Principal, t.User+"@"+t.Principal)
		case *repo.Build:
			signing, err := key()
			if err != nil {
				return nil, err
			}
			return repo.Sign(signing, what)
		}
		return nil, fmt.Errorf("nothing signs for %s", signed.Key())
	}, nil
}

// makeCA creates the deployment's CA beside the inventory the first time that
// one is needed.
func (r *run) makeCA() error {
	if len(r.site.CA) > 0 {
		return nil
	}
	values := module.Params[infra.Params](r.site.Hosts()[0])
	if !values.CaCreate {
		return fmt.Errorf("there is no CA in %s and ca_create is off: put ca/ca.crt and ca/ca.key there", r.pkiDir())
	}
	_, created, err := pki.OpenOrCreate(r.pkiDir(), values.CaCn, validityOfCA)
	if err != nil {
		return fmt.Errorf("the deployment's CA: %w", err)
	}
	if created {
		fmt.Fprintf(r.app.err, "created the deployment's CA in %s; keep its key safe\n", r.pkiDir())
	}
	return nil
}

// makeRepoKey creates the key of the deployment's software repository beside the
// CA, if the inventory has such a repository.
func (r *run) makeRepoKey() error {
	if len(r.site.RepoKey) > 0 || !infra.HasRepository(r.site) {
		return nil
	}
	_, err := r.createRepoKey()
	return err
}

// createRepoKey returns the key of the deployment's software repository, making
// one if there is none.
func (d *deployment) createRepoKey() (*pgp.Key, error) {
	key, created, err := pgp.OpenOrCreate(d.pkiDir(), "software repository of this deployment")
	if created {
		fmt.Fprintf(d.app.err, "created the key of the software repository in %s; keep it safe\n", d.pkiDir())
	}
	return key, err
}
