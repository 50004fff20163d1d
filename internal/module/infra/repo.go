package infra

import (
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/repo"
	"pigsty/internal/repo/alias"
	"pigsty/internal/repo/want"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// repoTags are those of the repository, in the order of Pigsty's play.
var repoTags = slices.Concat([]string{"repo", "repo_dir"}, buildTags, []string{"repo_use", "repo_nginx"})

// buildTags all select building, which is one step: upstreams are read where that
// is done and never configured on the host, and what cannot be had changes nothing.
var buildTags = []string{
	"repo_check", "repo_prepare", "repo_build", "repo_new", "repo_upstream", "repo_remove", "repo_add",
	"repo_url_pkg", "repo_cache", "repo_boot_pkg", "repo_pkg", "repo_create",
}

// repository adds the deployment's own software repository. It comes before the
// node's packages, which may be installed from it.
func (i *instance) repository(b *plan.Builder) {
	b = b.Tag("repo").Early()
	if !i.RepoEnabled {
		return
	}
	dir := b.Tag("repo_dir", "repo_nginx")
	user := dir.Add(append([]resource.Resource{everybody()}, account("nginx")...)...)
	dir = dir.After(user)
	dir.Add(&resource.Dir{Path: i.NginxData, Owner: nginxOwner})
	if i.NginxHome != i.NginxData {
		dir.Add(i.homeLink())
	}
	if i.RepoHome != i.NginxHome && i.RepoHome != i.NginxData {
		dir.Add(&resource.Dir{Path: i.RepoHome})
	}
	for _, h := range append([]*module.Host{i.Host}, i.others()...) {
		built := b.Tag(buildTags...).Add(i.build(h))
		b.Tag("repo_use", "repo_nginx").After(built).Add(i.definition(h))
	}
	node.UseRepository(b.Tag("repo_use", "repo_prepare"), i.site, i.Host)
}

// build is the repository for hosts like h as the inventory wants it.
func (i *instance) build(h *module.Host) *repo.Build {
	build := &repo.Build{
		Dir: i.repoDir(h), Wants: i.wants(h), Update: i.RepoBuild, PublicKey: i.site.RepoKey,
		HTTPProxy: proxy(i.ProxyEnv.HTTPProxy, i.ProxyEnv.AllProxy), HTTPSProxy: proxy(i.ProxyEnv.HTTPSProxy, i.ProxyEnv.AllProxy), NoProxy: i.ProxyEnv.NoProxy,
	}
	if h != i.Host {
		build.For = repo.SystemOf(h.Facts)
	}
	modules := slices.Collect(alias.Words(i.RepoModules))
	if !slices.Contains(modules, "infra") {
		modules = append([]string{"infra"}, modules...)
	}
	for _, name := range modules {
		// The base system comes from wherever the node gets it, whose keys on EL are
		// those of its own release.
		own := h.Facts.Family == "deb" || major(h.Facts) == major(i.Facts)
		build.Base = build.Base || name == "node" && own
		build.Upstreams = append(build.Upstreams, node.Upstreams(i.site, h, name)...)
	}
	replace := strings.NewReplacer("${releasever}", major(h.Facts), "${arch}", h.Facts.Arch, "${distro_codename}", h.Facts.Codename, "${distro_name}", h.Facts.OS)
	for _, f := range i.RepoURLPackages {
		build.Files = append(build.Files, repo.File{Name: replace.Replace(f.file()), URL: replace.Replace(f.URL), SHA256: strings.ToLower(f.SHA256)})
	}
	return build
}

// definition is a file that has a host like h which nobody manages use the
// repository. That of apt holds the key, which it cannot be told to fetch.
func (i *instance) definition(h *module.Host) *resource.File {
	name, url := i.repoName(h), i.repoURL(h)
	at := path.Join(i.RepoHome, name)
	text := "# The software repository of a deployment, signed with the key at\n# " + url + "/" + repo.PublicKey + "\n"
	if h.Facts.Family == "rpm" {
		return resource.NewFile(at+".repo", text+"["+name+"]\nname=packages of a deployment\nbaseurl="+url+"\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n"+
			"gpgkey="+url+"/"+repo.PublicKey+" "+url+"/"+repo.PackageKeys+"\nmodule_hotfixes=1\n")
	}
	return resource.NewFile(at+".sources", text+"Types: deb\nURIs: "+url+"\nSuites: ./\nSigned-By:\n"+folded(i.site.RepoKey))
}

// folded writes text as a field of several lines, as deb822(5) has it.
func folded(text []byte) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(string(text))) {
		if line = strings.TrimSpace(line); line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return b.String()
}

// repoDir is where the repository for hosts like h is.
func (i *instance) repoDir(h *module.Host) string { return path.Join(i.RepoHome, i.repoName(h)) }

// repoName is that of repo_name for hosts of the node's own system.
func (i *instance) repoName(h *module.Host) string {
	if i.sameSystem(h) {
		return i.RepoName
	}
	return strings.Join([]string{i.RepoName, h.Facts.Codename, h.Facts.Arch}, "-")
}

// others returns a host of each system that the node builds a repository for
// besides its own: another release or architecture of the same distribution, of
// which no infra node has a repository. The first that can builds it.
func (i *instance) others() []*module.Host {
	var out []*module.Host
	for _, h := range i.site.Hosts() {
		known := slices.ContainsFunc(out, func(o *module.Host) bool { return sameSystem(o, h) })
		if builder := builderFor(i.site, h); !known && builder != nil && builder.Host == i.Host && !i.sameSystem(h) {
			out = append(out, h)
		}
	}
	return out
}

// builderFor returns the infra node that has the repository for h: the first of
// its system, else the first of its distribution; nil if there is none.
func builderFor(s *module.Site, h *module.Host) *instance {
	var other *instance
	for _, i := range instances(s) {
		switch {
		case !i.RepoEnabled || !i.NginxEnabled && i.Host != h:
		case i.sameSystem(h):
			return i
		case other == nil && i.Facts.OS == h.Facts.OS:
			other = i
		}
	}
	return other
}

func proxy(own, all secret.Value) secret.Value {
	if own.IsEmpty() {
		return all
	}
	return own
}

// wants are the packages that hosts like the given one install, those of the
// lists repo_packages and repo_extra_packages, and nothing else.
func (i *instance) wants(like *module.Host) []want.Package {
	var out []want.Package
	add := func(w want.Package) {
		at := slices.IndexFunc(out, func(have want.Package) bool { return have.Name == w.Name && have.Version == w.Version })
		if at < 0 {
			out = append(out, w)
			return
		}
		out[at].Optional = out[at].Optional && w.Optional
	}
	var hosts []*module.Host
	for _, h := range i.site.Hosts() {
		if like == i.Host && i.sameSystem(h) || sameSystem(like, h) {
			hosts = append(hosts, h)
		}
	}
	for list := range installing(i.site, hosts) {
		for _, p := range list.Items {
			add(want.Package{Name: p.Name, Or: p.Or, Version: p.Version, For: p.For, Optional: p.Optional})
		}
	}
	version := "18"
	if v, ok := i.Host.Vars.Get("pg_version"); ok {
		version = v.Value.Text
	}
	for _, list := range []struct {
		parameter string
		lines     []string
	}{{"repo_packages", i.RepoPackages}, {"repo_extra_packages", i.RepoExtraPackages}} {
		for _, p := range alias.Expand(like.Facts, version, list.lines...) {
			add(want.Package{Name: p.Name, For: list.parameter, Optional: p.Spare})
		}
	}
	return out
}

// installing returns the packages that a deployment installs on hosts, without
// those of repositories. It compiles so many hosts at a time, so that the steps
// of a large deployment are not all there at once.
func installing(s *module.Site, hosts []*module.Host) iter.Seq[*resource.Packages] {
	const atOnce = 100
	var plays []module.Play
	for _, m := range s.Modules {
		for _, p := range m.Plays {
			if p.Deploy > 0 && m.Declaration.Name != moduleName {
				plays = append(plays, p)
			}
		}
	}
	plays = append(plays, module.Play{Steps: ownPackages})
	return func(yield func(*resource.Packages) bool) {
		for _, p := range plays {
			for some := range slices.Chunk(hosts, atOnce) {
				for _, step := range p.Steps(s, some) {
					if list, ok := step.Resource.(*resource.Packages); ok && !yield(list) {
						return
					}
				}
			}
		}
	}
}

// ownPackages returns the steps that install what the infra nodes among hosts run.
func ownPackages(s *module.Site, hosts []*module.Host) []*plan.Step {
	var out []*plan.Step
	for _, i := range instances(s) {
		if slices.Contains(hosts, i.Host) {
			b := plan.NewBuilder(i.Host.Name(), moduleName)
			i.packages(b)
			out = append(out, b.Steps()...)
		}
	}
	return out
}

// sameSystem reports whether packages of the node's repository are for h. A
// host that was never reached is taken to be like the node.
func (i *instance) sameSystem(h *module.Host) bool {
	return !h.HasFacts || !i.HasFacts || sameSystem(i.Host, h)
}

// sameSystem reports whether the same packages are for a and b.
func sameSystem(x, y *module.Host) bool {
	if x == y {
		return true
	}
	a, b := x.Facts, y.Facts
	return a.Family == b.Family && a.Codename == b.Codename && a.Arch == b.Arch && (a.OS == b.OS || a.Family == "rpm")
}

// HasRepository reports whether the inventory has a repository to build.
func HasRepository(s *module.Site) bool {
	return slices.ContainsFunc(instances(s), func(i *instance) bool { return i.RepoEnabled })
}

// repositoryOf returns how h reaches the deployment's repository for its
// system, nil if there is none.
func repositoryOf(s *module.Site, h *module.Host) *module.Repository {
	if len(s.RepoKey) == 0 {
		return nil
	}
	for _, i := range instances(s) {
		if i.Host == h && i.RepoEnabled {
			return &module.Repository{URL: "file://" + i.repoDir(h), After: []string{i.built(h)}}
		}
	}
	i := builderFor(s, h)
	if i == nil {
		return nil
	}
	return &module.Repository{URL: i.repoURL(h), After: []string{i.built(h), plan.ID(i.Host.Name(), "unit nginx.service")}}
}

// repoURL is where other hosts reach the repository for hosts like h.
func (i *instance) repoURL(h *module.Host) string {
	if _, ok := i.Host.Vars.Get("repo_endpoint"); ok {
		return strings.TrimRight(strings.ReplaceAll(i.RepoEndpoint, "${admin_ip}", i.site.AdminIP()), "/") + "/" + i.repoName(h)
	}
	return fmt.Sprintf("http://%s/%s", at(i.ip(), i.NginxPort), i.repoName(h))
}

// built is the ID of the step that builds the repository for hosts like h.
func (i *instance) built(h *module.Host) string {
	return plan.ID(i.Host.Name(), (&repo.Build{Dir: i.repoDir(h)}).Key())
}

// major is the major version of a system.
func major(f resource.Facts) string {
	n, _, _ := strings.Cut(f.Version, ".")
	return n
}
