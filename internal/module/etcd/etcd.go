package etcd

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/etcd"
)

const (
	configDir   = "/etc/etcd"
	config      = configDir + "/etcd.conf"
	initial     = configDir + "/etcd.init.conf" // config and the members to form a cluster with
	passFile    = configDir + "/etcd.pass"
	certFile    = configDir + "/server.crt"
	caFile      = configDir + "/ca.crt"
	unitName    = "etcd.service"
	unitFile    = "/etc/systemd/system/" + unitName
	profileFile = "/etc/profile.d/etcdctl.sh"

	// maxFiles is how many files a member may have open.
	maxFiles = 65536

	// startTimeout is how long a member waits for most of the others when a
	// cluster is made: as long as the slowest of their hosts may be behind.
	startTimeout = 5 * time.Minute

	// renewBefore is how long before its end a certificate is replaced.
	renewBefore = 30 * 24 * time.Hour
)

// packageNames are etcd's server and client, by package family.
var packageNames = map[string][]string{
	"deb": {"etcd-server", "etcd-client"},
	"rpm": {"etcd"},
}

// Module returns the ETCD module.
func Module() module.Module {
	return module.Module{
		Declaration: Declaration(),
		Check:       check,
		Ports:       ports,
		Advise:      advise,
		Instances:   instances,
		Plays: []module.Play{
			{
				Name:   "etcd",
				Short:  "Make or extend the etcd cluster",
				Deploy: 30,
				Tags: []string{"etcd", "etcd_install", "etcd_dir", "etcd_config", "etcd_conf",
					"etcd_cert", "etcd_cert_issue", "etcd_cert_copy", "etcd_member", "etcd_launch", "etcd_auth",
					"etcd_register", "register", "add_metrics"},
				Registration: module.Registers,
				Steps:        steps,
			},
			{
				Name:         "etcd-rm",
				Short:        "Remove the etcd cluster, or some of its members",
				Tags:         []string{"etcd_rm", "etcd_leave", "etcd_svc", "etcd_stop", "etcd_data", "etcd_pkg", "etcd_deregister", "deregister", "rm_metrics"},
				Registration: module.Deregisters,
				Steps:        removal,
				Removes:      removed,
			},
		},
	}
}

// steps compiles the play etcd for the members among hosts.
//
// Members of a new cluster start at the same time, since none is ready before
// most are. Later on they restart one after another (the steps are Exclusive),
// so that the cluster goes on serving.
func steps(s *module.Site, hosts []*module.Host) []*plan.Step {
	all := members(s)
	var out []*plan.Step
	first := true
	for _, m := range all {
		if !slices.Contains(hosts, m.Host) {
			continue
		}
		b := plan.NewBuilder(m.Host.Name(), "ETCD").Tag("etcd")
		m.install(b)
		m.configure(b, s, all)
		m.launch(b, all, first)
		first = false
		out = append(out, b.Steps()...)
	}
	return out
}

// install adds the packages, which bring the user etcd, and the directories.
func (m member) install(b *plan.Builder) {
	list := &resource.Packages{}
	for _, name := range packageNames[family(m.Host)] {
		list.Items = append(list.Items, resource.PackageItem{Name: name, For: "etcd_seq"})
	}
	b.Tag("etcd_install").Add(list)
	b.Tag("etcd_dir").Add(
		&resource.Dir{Path: configDir, Owner: owner, Mode: 0o750},
		&resource.Dir{Path: m.EtcdData, Owner: owner, Mode: 0o700},
	)
}

var owner = resource.Owner{User: "etcd", Group: "etcd"}

// configure adds the settings, the password of root for those who may read it,
// the unit and the certificate.
func (m member) configure(b *plan.Builder, s *module.Site, all []member) {
	b = b.Tag("etcd_config")
	readable := []resource.FileOption{resource.OwnedBy("root", "etcd"), resource.Mode(0o640)}
	secret := append(slices.Clone(readable), resource.Hidden())
	b.Tag("etcd_conf").Add(
		resource.NewFile(config, m.config(nil), readable...),
		resource.NewFile(initial, m.config(all), readable...),
		resource.NewFile(passFile, m.EtcdRootPassword.Reveal()+"\n", secret...),
		m.unit(),
		resource.NewFile(profileFile, render("etcdctl.sh.tmpl", map[string]any{
			"Endpoints": strings.Join(endpoints(all), ","), "CA": caFile, "Pass": passFile,
		})),
	)
	b.Tag("etcd_cert", "etcd_cert_issue", "etcd_cert_copy").Add(&resource.Cert{
		CertPath: certFile, KeyPath: configDir + "/server.key", CAPath: caFile,
		CommonName: m.instance(), DNSNames: []string{"localhost", m.instance(), m.name()}, IPs: []string{"127.0.0.1", m.Host.Name()},
		Organization: []string{"pigsty"}, Units: []string{"etcd"},
		Owner: owner, KeyMode: 0o600, Validity: validity(m.Host), RenewBefore: renewBefore,
		CA: s.CA,
	})
	node.CA(b.Tag("etcd_cert"), s) // for what remains to be done when etcd's own copy is gone
}

// config returns the settings of a member. With the members of the cluster it
// is the file for the first start, which has to name them.
func (m member) config(all []member) []byte {
	data := map[string]any{
		"Name": m.instance(), "Data": m.EtcdData, "Dir": configDir, "Port": m.EtcdPort,
		"PeerURL": m.peerURL(), "ClientURL": m.clientURL(),
		"Election": m.EtcdElectionTimeout, "Heartbeat": m.EtcdHeartbeatInterval, "Initial": nil,
	}
	if all != nil {
		data["Initial"] = map[string]any{"Token": m.EtcdCluster, "State": m.EtcdInit, "Cluster": initialCluster(all)}
	}
	return render("etcd.conf.tmpl", data)
}

// unit returns the member's unit file.
func (m member) unit() *resource.File {
	files := module.OpenFiles(m.Host, maxFiles)
	return resource.NewFile(unitFile, render("etcd.service.tmpl", map[string]any{
		"Data": m.EtcdData, "Config": config, "Initial": initial,
		"StartTimeout": int(startTimeout.Seconds()), "Files": files,
		"OOM": m.Facts.OOMAdjust || !m.HasFacts,
	}), resource.Noting(files.Note()))
}

// launch joins the cluster if it runs already, starts the member, and on the
// first one turns authentication on.
func (m member) launch(b *plan.Builder, all []member, first bool) {
	others := slices.DeleteFunc(slices.Clone(all), func(o member) bool { return o.Host == m.Host })
	needs := []string{"cert " + certFile, "dir " + m.EtcdData, "file " + initial, "file " + unitFile}
	join := etcd.Member{
		API:  m.api(caFile, others...),
		Name: m.instance(), PeerURL: m.peerURL(), ClientURL: m.clientURL(),
		Unit: unitName, Config: initial, Binary: "/usr/bin/etcd", DataDir: m.EtcdData, After: needs,
		Formed: slices.ContainsFunc(others, member.served),
	}
	launch := b.Tag("etcd_launch").Exclusive("etcd")
	unit := &resource.Unit{
		Name: unitName, Enabled: true, Running: true,
		RestartOn:    []string{config, unitFile, caFile}, // certificates are read for each connection
		StartTimeout: startTimeout,
		After:        needs,
	}
	if len(others) > 0 {
		b.Tag("etcd_member").Add(join)
		unit.After = append(slices.Clip(needs), join.Key())
	}
	launch.Add(unit)

	own := m.api(caFile, m)
	healthy := launch.Add(etcd.Health{API: own, Name: m.instance(), Unit: unitName})
	if first {
		b.Tag("etcd_auth").After(healthy).Add(etcd.Auth{API: own, Cluster: m.EtcdCluster})
	}
}

// family returns "deb" or "rpm"; hosts that were never reached count as deb.
func family(h *module.Host) string { return cmp.Or(h.Facts.Family, "deb") }

// validity returns how long a new certificate is valid: the INFRA module's
// parameter cert_validity in days, twenty years if it says nothing else.
func validity(h *module.Host) time.Duration {
	v, _ := h.Vars.Get("cert_validity")
	n, err := strconv.Atoi(strings.TrimSuffix(v.Value.Text, "d"))
	if err != nil || n <= 0 {
		n = 7300
	}
	return time.Duration(n) * 24 * time.Hour
}
