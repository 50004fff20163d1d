package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pigsty/internal/module"
	"pigsty/internal/module/infra"
	"pigsty/internal/pki"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// rotateFlags say which of the three moves is made, and how.
type rotateFlags struct {
	issue, finish bool
	anyway        bool // without hosts that are not ready for it
	confirmed     bool
}

func (a *app) rotateCommand() *cobra.Command {
	var f rotateFlags
	c := &cobra.Command{
		Use:   "rotate-ca",
		Short: "Replace the deployment's CA, in three moves",
		Long: `Replacing the CA takes three moves with a deployment of all hosts after each, so
that no host ever meets a certificate that it does not trust:

  pigsty cert rotate-ca           makes the next CA; hosts are to trust both
  pigsty deploy
  pigsty cert rotate-ca --issue   the next CA issues; the deployment renews all
  pigsty deploy
  pigsty cert rotate-ca --finish  the old CA is dropped and its key destroyed
  pigsty deploy

The second and the third move first look whether every host has what the move
before brought, and refuse while one has not; --anyway goes on without them. A CA
that has expired is replaced at once: the first move is then the second.
Certificates that "cert issue" made are renewed with "cert renew NAME".`,
		Example: "  pigsty cert rotate-ca",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.issue && f.finish {
				return fmt.Errorf("--issue and --finish are two moves: deploy between them")
			}
			return a.rotate(c.Context(), &f)
		},
	}
	c.Flags().BoolVar(&f.issue, "issue", false, "have the next CA issue from now on")
	c.Flags().BoolVar(&f.finish, "finish", false, "drop the old CA")
	c.Flags().BoolVar(&f.anyway, "anyway", false, "go on even if hosts lack what the move before brought, or are not reached")
	c.Flags().BoolVarP(&f.confirmed, "assume-yes", "y", false, "do not ask")
	return c
}

// deployedCA returns an error unless every host trusts what the deployment's CA
// is by now, has its certificates from the one that issues, and uses them.
func (a *app) deployedCA(ctx context.Context, f *rotateFlags) error {
	if f.anyway {
		return nil
	}
	r, hosts, err := a.prepare(plan.Request{Plays: a.chosenPlays(nil)})
	if err != nil {
		return err
	}
	r.only = func(steps []*plan.Step) []*plan.Step {
		bundle := resource.NewFile("", r.site.CA).Hash
		return slices.DeleteFunc(steps, func(s *plan.Step) bool {
			switch t := s.Resource.(type) {
			case *resource.Cert, *resource.SSHCert, *resource.Trust, *resource.AuthorizedKeys, *resource.Unit:
				return false
			case *resource.File:
				return t.Hash != bundle
			}
			return true
		})
	}
	show := newProgress(a, r.site)
	err = r.connect(ctx, hosts, show.event)
	defer r.close()
	show.stop()
	if err != nil {
		return err
	}
	if err := r.observe(ctx); err != nil {
		return err
	}
	var lacking []string
	for _, h := range r.plan.Hosts {
		if h.Error != "" {
			lacking = append(lacking, fmt.Sprintf("%s was not reached: %s", h.Name, h.Error))
		}
	}
	for _, it := range r.plan.Items {
		if it.Error != "" || !it.Change.Empty() {
			lacking = append(lacking, fmt.Sprintf("%s: %s: %s", it.Step.Host, it.Step.Resource.Key(), cmp.Or(it.Error, it.Change.Reason, "differs")))
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return fmt.Errorf("not every host has what the move before brought: run `pigsty deploy` first, or pass --anyway for hosts that are gone\n  %s", strings.Join(lacking, "\n  "))
}

func (a *app) rotate(ctx context.Context, f *rotateFlags) error {
	d, err := a.load(nil)
	if err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	switch {
	case f.finish:
		return a.finishRotation(ctx, d.pkiDir(), f)
	case f.issue:
		if err := pki.MaySucceed(d.pkiDir()); err != nil {
			return err
		}
		if err := a.deployedCA(ctx, f); err != nil {
			return err
		}
		if err := pki.Succeed(d.pkiDir()); err != nil {
			return err
		}
	default:
		values := module.Params[infra.Params](d.site(nil).Hosts()[0])
		phase, err := pki.Announce(d.pkiDir(), values.CaCn, validityOfCA)
		if err != nil {
			return err
		}
		if phase == pki.Announced {
			fmt.Fprintln(a.out, "made the next CA; next: pigsty deploy, then pigsty cert rotate-ca --issue")
			return nil
		}
	}
	fmt.Fprintln(a.out, "the next CA issues from now on; next: pigsty deploy, then pigsty cert rotate-ca --finish")
	return nil
}

// finishRotation drops the old CA, which cannot be undone.
func (a *app) finishRotation(ctx context.Context, dir string, f *rotateFlags) error {
	if err := pki.MayFinish(dir); err != nil {
		return err
	}
	if err := a.deployedCA(ctx, f); err != nil {
		return err
	}
	if !f.confirmed {
		if !isTerminal(a.in) {
			return errors.New("there is no terminal to ask on: pass -y to destroy the old CA's key without asking")
		}
		if err := a.confirm(ctx, "Drop the old CA and destroy its key?"); err != nil {
			return err
		}
	}
	if err := pki.Finish(dir); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "the old CA is dropped; next: pigsty deploy")
	return nil
}
