package resource

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// firewalld refuses to start where a zone and a policy have the same name.
const (
	firewalldZoneName   = "pigsty"
	firewalldPolicyName = "pigsty-public"
	firewalldZone       = "/etc/firewalld/zones/" + firewalldZoneName + ".xml"
	firewalldPolicy     = "/etc/firewalld/policies/" + firewalldPolicyName + ".xml"
)

// The elements of firewalld.zone(5) and firewalld.policies(5) that we use.
type (
	zoneXML struct {
		XMLName xml.Name    `xml:"zone"`
		Target  string      `xml:"target,attr"`
		Short   string      `xml:"short"`
		Sources []sourceXML `xml:"source"`
	}
	sourceXML struct {
		Address string `xml:"address,attr"`
	}
	policyXML struct {
		XMLName  xml.Name  `xml:"policy"`
		Target   string    `xml:"target,attr"`
		Priority int       `xml:"priority,attr"`
		Short    string    `xml:"short"`
		Ingress  nameXML   `xml:"ingress-zone"`
		Egress   nameXML   `xml:"egress-zone"`
		Ports    []portXML `xml:"port"`
	}
	nameXML struct {
		Name string `xml:"name,attr"`
	}
	portXML struct {
		Protocol string `xml:"protocol,attr"`
		Port     string `xml:"port,attr"`
	}
)

func (firewalld) files() []string { return []string{firewalldZone, firewalldPolicy} }

func (firewalld) dir() string { return "/etc/firewalld" }

// read returns what our files say. One that somebody broke says nothing, and is
// written anew.
func (firewalld) read(h *Host) (zone zoneXML, policy policyXML, err error) {
	for file, into := range map[string]any{firewalldZone: &zone, firewalldPolicy: &policy} {
		data, err := h.Files.Read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return zone, policy, err
		}
		_ = xml.Unmarshal(data, into)
	}
	return zone, policy, nil
}

// write makes the files say zone and policy; one that would say nothing goes.
func (firewalld) write(h *Host, zone zoneXML, policy policyXML) error {
	for _, f := range []struct {
		path    string
		content any
		empty   bool
	}{{firewalldZone, zone, len(zone.Sources) == 0}, {firewalldPolicy, policy, len(policy.Ports) == 0}} {
		if f.empty {
			if err := h.Files.Remove(f.path); err != nil {
				return err
			}
			continue
		}
		data, err := xml.MarshalIndent(f.content, "", "  ")
		if err != nil {
			return err
		}
		if err := h.Files.Mkdir(path.Dir(f.path), 0o750, Owner{}); err != nil {
			return err
		}
		if err := h.Files.Write(f.path, []byte(xml.Header+string(data)+"\n"), 0o644, Owner{}); err != nil {
			return err
		}
	}
	return nil
}

// neighbours looks at the zones of others: a source can be in one zone only, and
// firewalld refuses to start where it is in two.
func (firewalld) neighbours(h *Host, have *walled) error {
	dir := path.Dir(firewalldZone)
	names, err := h.Files.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	have.taken = map[string]error{}
	for _, name := range names {
		if path.Ext(name) != ".xml" || path.Join(dir, name) == firewalldZone {
			continue
		}
		data, err := h.Files.Read(path.Join(dir, name))
		if err != nil {
			return err
		}
		var zone zoneXML
		if xml.Unmarshal(data, &zone) != nil {
			continue // firewalld passes over it, too
		}
		for _, s := range zone.Sources {
			if s.Address == "" {
				continue // a set or a hardware address
			}
			rule, its := "trust "+network(s.Address), strings.TrimSuffix(name, ".xml")
			if zone.Target == "ACCEPT" {
				have.others = append(have.others, rule)
				continue
			}
			have.taken[rule] = fmt.Errorf("%s is a source of firewalld's zone %s, which does not trust it: "+
				"take it out of there (firewall-cmd --permanent --zone=%s --remove-source=%s), or leave it out of node_firewall_intranet",
				s.Address, its, its, s.Address)
		}
	}
	return nil
}

func firewalldRules(zone zoneXML, policy policyXML) []string {
	var rules []string
	for _, s := range zone.Sources {
		rules = append(rules, "trust "+network(s.Address))
	}
	for _, p := range policy.Ports {
		rules = append(rules, "open "+p.Port+"/"+p.Protocol)
	}
	return rules
}
