package resource

import (
	"context"
	"encoding/xml"
	"errors"
	"io/fs"
	"net/netip"
	"path"
	"strings"
)

const firewalldUnit = "firewalld.service"

// firewalld is the firewall of EL. Our rules are files of our own: a zone that
// trusts networks, and a policy for what everybody may reach, so that a rule
// that goes leaves nothing behind in the zones of others.
type firewalld struct{}

const (
	firewalldZone   = "/etc/firewalld/zones/pigsty.xml"
	firewalldPolicy = "/etc/firewalld/policies/pigsty.xml"
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

func (firewalld) rules(h *Host) (ours, others []string, err error) {
	var (
		zone   zoneXML
		policy policyXML
	)
	for file, into := range map[string]any{firewalldZone: &zone, firewalldPolicy: &policy} {
		data, err := h.Files.Read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if xml.Unmarshal(data, into) != nil {
			continue // somebody broke it; it is written anew
		}
	}
	for _, s := range zone.Sources {
		ours = append(ours, "trust "+network(s.Address))
	}
	for _, p := range policy.Ports {
		ours = append(ours, "open "+p.Port+"/"+p.Protocol)
	}
	return ours, nil, nil
}

func (w firewalld) set(ctx context.Context, h *Host, rules []string) error {
	zone := zoneXML{Target: "ACCEPT", Short: "pigsty: networks that are trusted"}
	policy := policyXML{Target: "CONTINUE", Priority: -1, Short: "pigsty: ports that are open to everybody",
		Ingress: nameXML{"ANY"}, Egress: nameXML{"HOST"}}
	for _, rule := range rules {
		if port, ok := strings.CutPrefix(rule, "open "); ok {
			number, protocol, _ := strings.Cut(port, "/")
			policy.Ports = append(policy.Ports, portXML{protocol, number})
			continue
		}
		// firewalld takes a single address without its length only.
		address := strings.TrimPrefix(rule, "trust ")
		if p, err := netip.ParsePrefix(address); err == nil && p.IsSingleIP() {
			address = p.Addr().String()
		}
		zone.Sources = append(zone.Sources, sourceXML{address})
	}
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
	if on, err := w.on(ctx, h); err != nil || !on {
		return err
	}
	_, err := h.Commands.Run(ctx, Command{Args: []string{"firewall-cmd", "--reload"}})
	return err
}

func (firewalld) on(ctx context.Context, h *Host) (bool, error) {
	st, err := (&Unit{Name: firewalldUnit, Enabled: true}).show(ctx, h)
	return isRunning(st) && st.Enabled, err
}

func (firewalld) turn(on bool) Command {
	return Command{Args: []string{"systemctl", map[bool]string{true: "enable", false: "disable"}[on], "--now", firewalldUnit}}
}
