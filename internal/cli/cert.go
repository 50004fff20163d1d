package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pigsty/internal/module"
	"pigsty/internal/module/infra"
	"pigsty/internal/param"
	"pigsty/internal/pki"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// day is the unit in which people count the validity of certificates.
const day = 24 * time.Hour

func (a *app) certCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "cert",
		GroupID: "run",
		Short:   "Issue, list, check and renew certificates; replace the CA",
		Long: `Certificates of hosts are issued and renewed by the plays, with keys that never
leave the hosts. These commands show them, renew them early, issue certificates
for people and programs outside, and replace the CA itself.`,
		Example: "  pigsty cert list\n  pigsty cert check --days 30\n  pigsty cert issue dbuser_app --days 365",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.certIssueCommand(), a.certListCommand(), a.certCheckCommand(), a.certRenewCommand(), a.rotateCommand())
	return c
}

// issueFlags are those of cert issue; what is not given follows from the
// inventory's parameters cn, san, org, unit, expire and key.
type issueFlags struct {
	sans, org, unit []string
	days            int
	key             string
	server          bool
	extra           []string
}

func (a *app) certIssueCommand() *cobra.Command {
	var f issueFlags
	c := &cobra.Command{
		Use:   "issue [NAME]",
		Short: "Issue a certificate with a new key, for a client or a server outside",
		Long: `Issue makes a key and a certificate with the common name NAME, or that of the
parameter cn, in files/pki/misc, readable by you only. PostgreSQL takes the common
name as the user with the method cert. A key that --key names is used as it is, or
made there. What is not given is as the parameters of the group CERT say.`,
		Example: "  pigsty cert issue dbuser_app\n  pigsty cert issue app.example.org --server --san DNS:app.example.org,IP:10.10.10.9 --days 365\n" +
			"  pigsty cert issue -e cn=dbuser_app -e expire=365d",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneName(c, args)
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.issueCert(&f, args) },
	}
	c.Flags().StringSliceVar(&f.sans, "san", nil, "alternative `NAMES`: DNS:app.example.org, IP:10.10.10.9")
	c.Flags().IntVar(&f.days, "days", 0, "how many `DAYS` it is valid")
	c.Flags().StringSliceVar(&f.org, "org", nil, "organization")
	c.Flags().StringSliceVar(&f.unit, "unit", nil, "organizational unit")
	c.Flags().StringVar(&f.key, "key", "", "`FILE` of its private key, in place of one beside it")
	c.Flags().BoolVar(&f.server, "server", false, "for a server too")
	c.Flags().StringArrayVarP(&f.extra, "extra-vars", "e", nil, "set a variable for this command: `KEY=VALUE`")
	return c
}

// issueCert issues the certificate that f and args ask for.
func (a *app) issueCert(f *issueFlags, args []string) error {
	d, ca, err := a.openCA(f.extra)
	if err != nil {
		return err
	}
	p := module.Params[infra.Params](d.site(nil).Hosts()[0]) // arguments are the same for all
	name := p.Cn
	if len(args) > 0 {
		name = args[0]
	}
	req := pki.Request{CommonName: name, Organization: f.org, OrganizationalUnit: f.unit, Validity: time.Duration(f.days) * day, Client: true, Server: f.server}
	if req.Organization == nil {
		req.Organization = []string{p.Org}
	}
	if req.OrganizationalUnit == nil {
		req.OrganizationalUnit = []string{p.Unit}
	}
	if req.Validity == 0 {
		if req.Validity, err = param.Days(p.Expire); err != nil {
			return fmt.Errorf("expire: %w", err)
		}
	}
	if f.sans == nil {
		f.sans = p.San
	}
	if err := addNames(&req, f.sans); err != nil {
		return err
	}
	file := cmp.Or(f.key, p.Key)
	one, err := ca.IssueFor(d.pkiDir(), name, file, req)
	if err != nil {
		return err
	}
	_, beside := pki.IssuedPaths(d.pkiDir(), name)
	return a.printCerts([]certRow{issuedRow(d, ca, one)}, "key: "+cmp.Or(file, beside)+"\nCA:  "+caPath(d))
}

// oneName is for commands that take one name.
func oneName(c *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return fmt.Errorf("%s takes one name; see `%s --help`", c.CommandPath(), c.CommandPath())
}

// addNames puts alternative names written as DNS:name or IP:address into req.
func addNames(req *pki.Request, sans []string) error {
	for _, san := range sans {
		kind, name, _ := strings.Cut(san, ":")
		switch strings.ToUpper(kind) {
		case "DNS":
			req.DNSNames = append(req.DNSNames, name)
		case "IP":
			req.IPs = append(req.IPs, name)
		default:
			return fmt.Errorf("--san %s: write DNS: or IP: before the name", san)
		}
	}
	return nil
}

// openCA loads the inventory and opens the CA beside it, creating one if there
// is none.
func (a *app) openCA(extra []string) (*deployment, *pki.CA, error) {
	d, err := a.load(extra)
	if err != nil {
		return nil, nil, err
	}
	if err := d.check(); err != nil {
		return nil, nil, err
	}
	if err := (&run{deployment: d, site: d.site(nil)}).makeCA(); err != nil {
		return nil, nil, err
	}
	ca, err := pki.Open(d.pkiDir())
	return d, ca, err
}

func caPath(d *deployment) string {
	cert, _ := pki.Paths(d.pkiDir())
	return cert
}

func (a *app) certRenewCommand() *cobra.Command {
	var f runFlags
	var days int
	c := &cobra.Command{
		Use:   "renew [NAME…]",
		Short: "Issue certificates again: those of hosts, or those issued under NAMES",
		Long: `Renew without a NAME issues the certificates of hosts anew that have less than
--days left, by default all of them, and reloads what uses them. Keys stay. With
NAMES it renews certificates that "cert issue" made.`,
		Example: "  pigsty cert renew -l pg-test -y\n  pigsty cert renew --days 90\n  pigsty cert renew dbuser_app",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.renewHosts(c.Context(), &f, time.Duration(days)*day)
			}
			d, ca, err := a.openCA(nil)
			if err != nil {
				return err
			}
			var rows []certRow
			for _, name := range args {
				one, err := ca.Renew(d.pkiDir(), name, time.Duration(cmp.Or(days, 7300))*day)
				if err != nil {
					return err
				}
				rows = append(rows, issuedRow(d, ca, one))
			}
			return a.printCerts(rows, "")
		},
	}
	c.Flags().StringVarP(&f.limit, "limit", "l", "", "only hosts that match the `PATTERN`")
	c.Flags().BoolVarP(&f.confirmed, "assume-yes", "y", false, "do not ask")
	c.Flags().IntVar(&days, "days", 0, "of hosts: only those with less than `N` days left; with names: how long the new ones are valid")
	return c
}

// renewHosts applies what the plays declare of certificates, and of the units
// that load them, with certificates replaced that have less than left to go; 0
// means all.
func (a *app) renewHosts(ctx context.Context, f *runFlags, left time.Duration) error {
	r, hosts, err := a.prepare(f.request(a.chosenPlays(nil)))
	if err != nil {
		return err
	}
	r.only = func(steps []*plan.Step) []*plan.Step {
		var out []*plan.Step
		for _, s := range steps {
			switch t := s.Resource.(type) {
			case *resource.Cert:
				early := *t
				// More than any certificate's life: nothing else about it changes.
				early.RenewBefore = max(t.RenewBefore, cmp.Or(left, 200*365*day))
				renewing := *s
				renewing.Resource = &early
				out = append(out, &renewing)
			case *resource.Unit:
				out = append(out, s)
			}
		}
		return out
	}
	return r.change(ctx, f, hosts, nil)
}

// observeCerts asks the hosts that limit names for the certificates that the
// plays of a deployment give them.
func (a *app) observeCerts(ctx context.Context, limit string) ([]certRow, error) {
	r, hosts, err := a.prepare(plan.Request{Plays: a.chosenPlays(nil), Limit: limit})
	if err != nil {
		return nil, err
	}
	r.only = func(steps []*plan.Step) []*plan.Step {
		var out []*plan.Step
		seen := map[string]bool{}
		for _, s := range steps {
			c, ok := s.Resource.(*resource.Cert)
			if !ok {
				continue
			}
			look := &plan.Step{Host: s.Host, Module: s.Module, Resource: &resource.CertReport{Path: c.CertPath, CA: r.site.CA}}
			if !seen[look.ID()] {
				seen[look.ID()] = true
				out = append(out, look)
			}
		}
		return out
	}
	show := newProgress(a, r.site)
	err = r.connect(ctx, hosts, show.event)
	defer r.close()
	show.stop()
	if err != nil {
		return nil, err
	}
	if r.plan, err = r.fleet.Observe(ctx, r.graph, plan.Request{}); err != nil {
		return nil, err
	}
	var rows []certRow
	for _, it := range r.plan.Items {
		rows = append(rows, hostRow(it))
	}
	slices.SortStableFunc(rows, func(x, y certRow) int { return strings.Compare(x.Host, y.Host) })
	return rows, nil
}
