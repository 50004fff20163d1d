package conf

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"

	"pigsty/internal/secret"
)

// Values are what a template is filled in with. A zero field leaves what the
// template says.
type Values struct {
	Addresses []netip.Addr // of the hosts, in the order of the placeholders; there may be fewer
	Version   int          // major version of PostgreSQL
	Region    string
	Tiny      bool // profiles for machines of few cores in place of oltp
	PlainC    bool // locale C in place of C.UTF-8, which the hosts do not have
	Proxy     Proxy
	Passwords bool // new ones in place of the published
}

// Proxy is what goes into proxy_env. URLs may hold passwords.
type Proxy struct {
	HTTP, HTTPS, All secret.Value
	No               string // hosts and networks to reach without it, separated by commas
}

// IsZero reports whether there is nothing to set.
func (p Proxy) IsZero() bool {
	return p.HTTP.IsEmpty() && p.HTTPS.IsEmpty() && p.All.IsEmpty() && p.No == ""
}

// Filled is a template that was filled in.
type Filled struct {
	Text      []byte
	Hosts     []netip.Addr // in the order of the placeholders
	Left      []netip.Addr // those of Hosts that are placeholders still
	Passwords int          // how many were made; what is published under one name counts once
}

// TinyCores is the number of cores below which a machine gets the tiny profiles.
const TinyCores = 4

// Fill returns the inventory that t becomes with v. It fails if the addresses
// are not those of as many different hosts.
func (t Template) Fill(v Values) (Filled, error) {
	d, err := parse(t.text)
	if err != nil {
		return Filled{}, fmt.Errorf("template %s: %w", t.Name, err)
	}
	out := Filled{Hosts: slices.Clone(t.Hosts)}
	if len(v.Addresses) > len(t.Hosts) {
		return out, fmt.Errorf("template %s has %s, but %d addresses are given", t.Name, hostCount(len(t.Hosts)), len(v.Addresses))
	}
	copy(out.Hosts, v.Addresses)
	out.Left = out.Hosts[len(v.Addresses):]
	for i, ip := range out.Hosts {
		if j := slices.Index(out.Hosts, ip); j < i {
			if i < len(v.Addresses) {
				return out, fmt.Errorf("%s is given twice", ip)
			}
			return out, fmt.Errorf("%s is the address of another host of template %s too: give all %d addresses", ip, t.Name, len(t.Hosts))
		}
	}
	d.setAddresses(t.Hosts, out.Hosts)
	d.setVariables(v)
	d.setProxy(v.Proxy)
	if v.Passwords {
		out.Passwords = d.setPasswords()
	}
	out.Text = []byte(d.edited())
	return out, nil
}

func hostCount(n int) string {
	if n == 1 {
		return "1 host"
	}
	return strconv.Itoa(n) + " hosts"
}

// dotted is a run of digits and dots: an address is the whole of one, never a
// part, so that 10.10.10.10 is not found in 10.10.10.100.
var dotted = regexp.MustCompile(`[0-9.]*[0-9]`)

// setAddresses puts each of hosts in place of its placeholder: as a name of a
// host, inside values and in comments.
func (d *document) setAddresses(placeholders, hosts []netip.Addr) {
	for _, m := range dotted.FindAllStringIndex(d.text, -1) {
		ip, err := netip.ParseAddr(d.text[m[0]:m[1]])
		if err != nil {
			continue
		}
		if i := slices.Index(placeholders, ip); i >= 0 && hosts[i] != ip {
			d.edits = append(d.edits, edit{m[0], m[1], hosts[i].String()})
		}
	}
}

// setVariables sets what the template says for all hosts. Groups that say
// something else mean it.
func (d *document) setVariables(v Values) {
	for k, n := range pairs(value(d.all, "vars")) {
		switch k.Value {
		case "pg_version":
			if v.Version != 0 {
				d.replace(n, strconv.Itoa(v.Version))
			}
		case "region":
			if v.Region != "" {
				d.replace(n, v.Region)
			}
		case "node_tune":
			if v.Tiny && n.Value == "oltp" {
				d.replace(n, "tiny")
			}
		case "pg_conf":
			if v.Tiny && n.Value == "oltp.yml" {
				d.replace(n, "tiny.yml")
			}
		case "pg_locale", "pg_lc_collate", "pg_lc_ctype":
			if v.PlainC {
				d.replace(n, "C")
			}
		}
	}
}

// setProxy adds proxies to proxy_env, which templates declare with no_proxy alone.
func (d *document) setProxy(p Proxy) {
	env := value(value(d.all, "vars"), "proxy_env")
	for k, n := range pairs(env) {
		if k.Value != "no_proxy" {
			continue
		}
		for _, one := range []struct {
			name string
			url  secret.Value
		}{{"http_proxy", p.HTTP}, {"https_proxy", p.HTTPS}, {"all_proxy", p.All}} {
			if !one.url.IsEmpty() {
				d.before(k, one.name+": "+strconv.Quote(one.url.Reveal()))
			}
		}
		if p.No != "" {
			d.replaceQuoted(n, p.No)
		}
	}
}

// replaceQuoted puts value in place of the double-quoted scalar n.
func (d *document) replaceQuoted(n *yaml.Node, value string) {
	quoted := strconv.Quote(value)
	d.replace(n, quoted[1:len(quoted)-1])
}
