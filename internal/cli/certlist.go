package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pigsty/internal/pki"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// certRow is one certificate as list and check show it.
type certRow struct {
	Type    string     `json:"type"` // "certificate"
	Host    string     `json:"host,omitempty"`
	Path    string     `json:"path"`
	Name    string     `json:"name,omitempty"` // common name
	Expires *time.Time `json:"expires,omitempty"`
	Days    *int       `json:"days_left,omitempty"`
	Issuer  string     `json:"issuer,omitempty"` // ours, replaced, another
	Problem string     `json:"problem,omitempty"`
}

func (r *certRow) expires(at time.Time) {
	left := int(time.Until(at).Hours() / 24)
	r.Expires, r.Days = &at, &left
}

// issuedRow is the row of a certificate in files/pki/misc.
func issuedRow(d *deployment, ca *pki.CA, one pki.Issued) certRow {
	row := certRow{Type: "certificate", Path: one.Path, Name: one.Cert.Subject.CommonName, Issuer: "another"}
	switch {
	case ca.By(one.Cert):
		row.Issuer = "ours"
	case pki.Trusted(d.pkiDir(), one.Cert):
		row.Issuer = "replaced"
	}
	row.expires(one.Cert.NotAfter.UTC())
	return row
}

// hostRow is the row of what was observed on a host.
func hostRow(it plan.Item) certRow {
	report := it.Step.Resource.(*resource.CertReport)
	row := certRow{Type: "certificate", Host: it.Step.Host, Path: report.Path, Problem: it.Error}
	if it.Error == "" && len(it.Change.Attrs) == 0 {
		row.Problem = "not there yet"
	}
	for _, attr := range it.Change.Attrs {
		switch attr.Name {
		case "name":
			row.Name = attr.New
		case "issuer":
			row.Issuer = attr.New
		case "expires":
			if at, err := time.Parse(time.RFC3339, attr.New); err == nil {
				row.expires(at)
			}
		}
	}
	return row
}

func (a *app) certListCommand() *cobra.Command {
	var limit string
	var offline bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the CA, the certificates of hosts, and those issued here",
		Example: "  pigsty cert list\n  pigsty cert list -l pg-test --json\n  pigsty cert list --offline",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows, err := a.allCerts(c.Context(), limit, offline)
			if err != nil {
				return err
			}
			return a.printCerts(rows, "")
		},
	}
	c.Flags().StringVarP(&limit, "limit", "l", "", "only hosts that match the `PATTERN`")
	c.Flags().BoolVar(&offline, "offline", false, "only what lies beside the inventory; contact no host")
	return c
}

func (a *app) certCheckCommand() *cobra.Command {
	var limit string
	var offline bool
	var days int
	c := &cobra.Command{
		Use:   "check",
		Short: "Exit with 1 if a certificate is about to expire, or wrong",
		Long: `Check looks at the CA, at the certificates of hosts and at those issued here. It
shows those with less than --days left, those of another CA, and those that
should be there and are not; if there are any, the exit status is 1.`,
		Example: "  pigsty cert check\n  pigsty cert check --days 90 -l pg-test",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows, err := a.allCerts(c.Context(), limit, offline)
			if err != nil {
				return err
			}
			var wrong []certRow
			for _, row := range rows {
				if row.judge(days) {
					wrong = append(wrong, row)
				}
			}
			if len(wrong) == 0 {
				return a.printCerts(nil, fmt.Sprintf("%s, each good for %d days or more", count(len(rows), "certificate"), days))
			}
			if err := a.printCerts(wrong, ""); err != nil {
				return err
			}
			return status(exitError, "%d of %s need attention: see `pigsty cert renew --help` and `pigsty cert rotate-ca --help`", len(wrong), count(len(rows), "certificate"))
		},
	}
	c.Flags().StringVarP(&limit, "limit", "l", "", "only hosts that match the `PATTERN`")
	c.Flags().BoolVar(&offline, "offline", false, "only what lies beside the inventory; contact no host")
	c.Flags().IntVar(&days, "days", 30, "how many `DAYS` a certificate must have left")
	return c
}

// judge reports whether the row needs attention and notes why.
func (r *certRow) judge(days int) bool {
	switch {
	case r.Problem != "":
	case *r.Days < 0 || time.Now().After(*r.Expires):
		r.Problem = "expired"
	case *r.Days < days:
		r.Problem = "about to expire"
	case r.Issuer == "another":
		r.Problem = "not of this deployment's CA"
	}
	return r.Problem != ""
}

// allCerts returns the CA's own certificates, those issued here, and, unless
// offline, those of the hosts that limit names.
func (a *app) allCerts(ctx context.Context, limit string, offline bool) ([]certRow, error) {
	d, ca, err := a.openCA(nil)
	if err != nil {
		return nil, err
	}
	row := certRow{Type: "certificate", Path: caPath(d), Name: ca.Certificate().Subject.CommonName, Issuer: "ours"}
	row.expires(ca.NotAfter().UTC())
	rows := []certRow{row}
	issued, err := pki.ListIssued(d.pkiDir())
	if err != nil {
		return nil, err
	}
	for _, one := range issued {
		rows = append(rows, issuedRow(d, ca, one))
	}
	if offline {
		return rows, nil
	}
	hosts, err := a.observeCerts(ctx, limit)
	return append(rows, hosts...), err
}

// printCerts writes rows as a table, and more below it; with --json only the
// rows, one a line.
func (a *app) printCerts(rows []certRow, more string) error {
	if a.json {
		e := json.NewEncoder(a.out)
		for _, row := range rows {
			if err := e.Encode(row); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) > 0 {
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "HOST\tPATH\tNAME\tDAYS LEFT\tISSUER\t")
		for _, r := range rows {
			host, left := r.Host, "-"
			if host == "" {
				host = "here"
			}
			if r.Days != nil {
				left = fmt.Sprint(*r.Days)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", host, r.Path, dash(r.Name), left, dash(r.Issuer), strings.TrimSpace(r.Problem))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if more != "" {
		fmt.Fprintln(a.out, more)
	}
	return nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
