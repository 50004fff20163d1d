package cli

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pigsty/internal/conf"
	"pigsty/internal/diag"
	"pigsty/internal/secret"
)

// initFlags are what init is asked for.
type initFlags struct {
	template, region, output  string
	proxy                     string
	addresses                 []string
	version                   int
	passwords, proxyFromEnv   bool
	keepAddresses, unattended bool
	replace, list, checkOnly  bool
}

func (a *app) initCommand() *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use:     "init",
		Aliases: []string{"configure"},
		GroupID: "look",
		Short:   "Write an inventory for this machine from a template",
		Long: `Init writes an inventory to begin with, pigsty.yml, from a template that it
fills in with what it finds on this machine: its address, its cores, its
distribution's PostgreSQL. The template's comments stay. Whatever it decides it
says; the inventory is yours from then on.

A template of several hosts takes as many addresses, -i once for each, in the
order of its own. Those that are not given stay 10.10.10.11 and so on, to be
written by hand.

Afterwards it checks what a deployment needs of this machine, if the machine is
among the hosts; --check does only that.`,
		Example: `  pigsty init -g                                # this machine, with new passwords
  pigsty init -c ha/trio -i 10.0.0.1 -i 10.0.0.2 -i 10.0.0.3 -g
  pigsty init --list                            # the templates
  pigsty init --check                           # is this machine fit?`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("inventory") {
				return fmt.Errorf("init writes an inventory and reads none: name the file with -o FILE")
			}
			switch {
			case f.list:
				return a.listTemplates()
			case f.checkOnly:
				return a.checkMachine(c.Context(), &f)
			}
			return a.writeInventory(c.Context(), &f)
		},
	}
	flags := c.Flags()
	// -i is the inventory everywhere else. Here it is an address, as in Pigsty's
	// configure: declaring a flag of the same name keeps the inherited one out.
	flags.StringArray("inventory", nil, "")
	_ = flags.MarkHidden("inventory")
	flags.StringArrayVarP(&f.addresses, "ip", "i", nil, "`IP` address of a host, in the order of the template's; this machine's by default")
	flags.StringVarP(&f.template, "conf", "c", conf.DefaultTemplate, "`TEMPLATE` to start from, see --list")
	flags.IntVarP(&f.version, "version", "v", 0, "`MAJOR` version of PostgreSQL: "+versionList()+" (default: what the distribution carries)")
	flags.StringVarP(&f.region, "region", "r", "", "`REGION` of mirrors: "+strings.Join(conf.Regions, ", ")+" (default: by the time zone)")
	flags.BoolVarP(&f.passwords, "generate", "g", false, "put new passwords in place of the published ones")
	flags.StringVarP(&f.proxy, "proxy", "p", "", "`URL` of a proxy for downloads")
	flags.BoolVarP(&f.proxyFromEnv, "proxy-env", "x", false, "take the proxies from http_proxy, https_proxy, all_proxy, no_proxy")
	flags.BoolVarP(&f.keepAddresses, "skip", "s", false, "keep the template's addresses")
	flags.BoolVarP(&f.unattended, "non-interactive", "n", false, "never ask")
	flags.StringVarP(&f.output, "output", "o", "pigsty.yml", "`FILE` to write")
	flags.BoolVar(&f.replace, "force", false, "replace the file if it exists, and keep it as FILE.bak")
	flags.BoolVar(&f.list, "list", false, "list the templates and stop")
	flags.BoolVar(&f.checkOnly, "check", false, "only check this machine; write nothing")
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(cmp.Or(map[string]string{"config": "conf", "ver": "version"}[name], name)) // as configure is called, too
	})
	c.MarkFlagsMutuallyExclusive("list", "check")
	c.MarkFlagsMutuallyExclusive("ip", "skip")
	c.MarkFlagsMutuallyExclusive("proxy", "proxy-env")
	complete := func(values func() []string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values(), cobra.ShellCompDirectiveNoFileComp
		}
	}
	_ = c.RegisterFlagCompletionFunc("conf", complete(func() []string {
		var out []string
		for _, t := range conf.Templates() {
			out = append(out, t.Name+"\t"+t.About)
		}
		return out
	}))
	_ = c.RegisterFlagCompletionFunc("region", complete(func() []string { return conf.Regions }))
	_ = c.RegisterFlagCompletionFunc("version", complete(func() []string { return strings.Split(versionList(), ", ") }))
	return c
}

func versionList() string {
	var words []string
	for _, v := range conf.Versions {
		words = append(words, strconv.Itoa(v))
	}
	return strings.Join(words, ", ")
}

// decision is one thing that init filled in, and why so.
type decision struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why,omitempty"`
}

// lookup finds the template that f names.
func (f *initFlags) lookup() (conf.Template, error) {
	t, ok := conf.Lookup(f.template)
	if ok {
		return t, nil
	}
	var names []string
	for _, known := range conf.Templates() {
		names = append(names, known.Name)
		if _, short, ok := strings.Cut(known.Name, "/"); ok && short == f.template {
			return t, status(exitInvalid, "there is no template %q (did you mean %s?)", f.template, known.Name)
		}
	}
	return t, status(exitInvalid, "there is no template %q%s; `pigsty init --list` shows them", f.template, didYouMean(diag.Nearest(f.template, slices.Values(names))))
}

// check finds what is wrong with the flags alone.
func (f *initFlags) check() error {
	if f.version != 0 && !slices.Contains(conf.Versions, f.version) {
		return status(exitInvalid, "-v %d: PostgreSQL must be one of %s", f.version, versionList())
	}
	if f.region != "" && !slices.Contains(conf.Regions, f.region) {
		return status(exitInvalid, "-r %s: there is no such region%s; they are %s", f.region,
			didYouMean(diag.Nearest(f.region, slices.Values(conf.Regions))), strings.Join(conf.Regions, ", "))
	}
	if f.proxy != "" {
		if u, err := url.Parse(f.proxy); err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
			return status(exitInvalid, "-p must be the URL of a proxy, such as http://10.0.0.1:3128; the port of SSH is set by ansible_port in the inventory")
		}
	}
	return nil
}

// given reads the addresses that f names.
func (f *initFlags) given() ([]netip.Addr, error) {
	var out []netip.Addr
	for _, list := range f.addresses {
		for text := range strings.SplitSeq(list, ",") {
			ip, err := netip.ParseAddr(text)
			if err != nil || !ip.Is4() {
				advice := ""
				if _, err := os.Stat(text); err == nil {
					advice = "; the inventory to write is named with -o"
				}
				return nil, status(exitInvalid, "-i %s: want an IPv4 address such as 10.10.10.10%s", text, advice)
			}
			out = append(out, ip)
		}
	}
	return out, nil
}

// values decides what t is filled in with on m, given the addresses.
func (f *initFlags) values(t conf.Template, m conf.Machine, addresses []netip.Addr) (v conf.Values, why []decision) {
	say := func(name, value, reason string) { why = append(why, decision{name, value, reason}) }
	v = conf.Values{Addresses: addresses, Version: f.version, Region: f.region, Passwords: f.passwords}
	if !t.Fixed {
		if t.Sets("pg_version") {
			reason := ""
			if f.version == 0 {
				v.Version, reason = m.Version()
			}
			say("PostgreSQL", strconv.Itoa(v.Version), reason)
		}
		v.Region = cmp.Or(f.region, m.Region())
		reason := ""
		if f.region == "" {
			reason = "by the time zone " + cmp.Or(m.Zone, "(none)") + "; -r chooses another"
		}
		say("region", v.Region, reason)
		if v.Tiny = m.Facts.CPUs < conf.TinyCores; v.Tiny {
			say("profiles", "tiny", count(m.Facts.CPUs, "core")+", fewer than "+strconv.Itoa(conf.TinyCores))
		}
		// From 17 on PostgreSQL brings the locale along.
		if v.PlainC = !m.UTF8 && v.Version < 17; v.PlainC && t.Sets("pg_locale") {
			say("locale", "C", "this machine has no C.UTF-8")
		}
	}
	switch {
	case f.proxy != "":
		one := secret.New(f.proxy)
		v.Proxy = conf.Proxy{HTTP: one, HTTPS: one, All: one}
		say("proxy", "as given", "")
	case f.proxyFromEnv:
		v.Proxy = conf.ProxyOf(os.Getenv)
		if v.Proxy.IsZero() {
			say("proxy", "none", "the environment names none")
		} else {
			say("proxy", "as in the environment", "")
		}
	}
	return v, why
}

// listTemplates prints what there is to start from.
func (a *app) listTemplates() error {
	if a.json {
		return a.templatesJSON()
	}
	width := 0
	for _, t := range conf.Templates() {
		width = max(width, len(t.Name))
	}
	fmt.Fprintf(a.out, "%-*s  HOSTS\n", width, "TEMPLATE")
	for _, t := range conf.Templates() {
		fmt.Fprintf(a.out, "%-*s  %5d  %s\n", width, t.Name, len(t.Hosts), t.About)
	}
	return nil
}
