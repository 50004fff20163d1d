package node

import (
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// repositories configures the package repositories of node_repo_modules, one
// file per module, and has their indexes read.
//
// Only what the inventory writes into repo_upstream is configured. The module
// local is the deployment's own repository, where an infra node has one.
func repositories(b *plan.Builder, s *module.Site, h *module.Host) {
	b = b.Tag("node_repo", "node_install").Early()
	chosen, local := map[string][]upstream{}, s.Repository(h)
	var names []string
	for _, name := range words(module.Params[Params](h).NodeRepoModules) {
		if list := upstreams(s, h, name); len(list) > 0 || name == "local" && local != nil {
			chosen[name], names = list, append(names, name)
		}
	}
	aside := b
	if local != nil && slices.Contains(names, "local") { // what takes their place has to be there
		aside = b.After(local.After...)
	}
	own := ownRepositories(aside, h, len(names) > 0)
	b.Tag("node_repo_upstream", "node_repo_add").After(own...).Add(NoRepositories(h, names...))
	add := b.Tag("node_repo_upstream", "node_repo_add").After(own...)
	for _, name := range names {
		switch {
		case name == "local" && local != nil:
			localRepository(add, s, h, local)
		case family(h) == "rpm":
			add.Add(resource.NewFile(repositoryFile(h, name), yumFile(h.Facts, withKeys(add, h, chosen[name]))))
		default:
			add.Add(resource.NewFile(repositoryFile(h, name), aptFile(h.Facts, withKeys(add, h, chosen[name]))))
		}
	}
	b.Tag("node_repo_cache").Add(&resource.PackageIndex{})
}

// withKeys adds files with the keys that the inventory itself holds, and returns
// list with their names in place of them.
func withKeys(b *plan.Builder, h *module.Host, list []upstream) []upstream {
	for i, u := range list {
		if u.armored() {
			list[i].key = u.keyFile(h)
			b.Add(resource.NewFile(list[i].key, strings.TrimSpace(u.key)+"\n"))
		}
	}
	return list
}

// upstream is one entry of repo_upstream that fits a host. The parameter is the
// INFRA module's, which stands above this one; its catalogue entry checks it.
type upstream struct {
	name, description, url string
	key                    string           // meta.gpgkey: a file of the host, a URL, or the key itself in armor
	meta                   []inventory.Pair // the rest of meta
	minor                  bool
}

// armored reports whether the inventory has the key itself.
func (u upstream) armored() bool { return strings.Contains(u.key, "-----BEGIN PGP") }

// file returns the path of the key if it is a file of the host.
func (u upstream) file() (string, bool) {
	name := strings.TrimPrefix(u.key, "file://")
	return name, strings.HasPrefix(name, "/")
}

// keyFile is where h gets a key that the inventory has.
func (u upstream) keyFile(h *module.Host) string { return keyDirs[family(h)] + u.name + ".asc" }

// upstreams returns the entries of repo_upstream for the module called name on h.
func upstreams(s *module.Site, h *module.Host, name string) []upstream {
	list, _ := h.Vars.Get("repo_upstream")
	region := variable(h, "region")
	var out []upstream
	for _, v := range list.Value.Items {
		text := func(key string) string { f, _ := v.Get(key); return f.Text }
		has := func(key, want string) bool {
			f, _ := v.Get(key)
			return slices.ContainsFunc(f.Items, func(x inventory.Value) bool { return x.Text == want })
		}
		if text("module") != name || !has("releases", major(h.Facts)) || !has("arch", h.Facts.Arch) {
			continue
		}
		u := upstream{name: text("name"), description: text("description")}
		if minor, ok := v.Get("minor"); ok {
			u.minor = minor.Bool()
		}
		urls, _ := v.Get("baseurl")
		base, _ := urls.Get("default")
		if regional, ok := urls.Get(region); ok && regional.Text != "" {
			base = regional
		}
		u.url = expand(s, base.Text)
		meta, _ := v.Get("meta")
		for _, p := range meta.Pairs {
			if p.Key == "gpgkey" {
				u.key = p.Value.Text
				continue
			}
			u.meta = append(u.meta, p)
		}
		out = append(out, u)
	}
	return out
}

// keyDirs is where keys go that the inventory holds, by package family.
var keyDirs = map[string]string{"deb": "/etc/apt/keyrings/", "rpm": "/etc/pki/rpm-gpg/"}

// aptFile returns a list of sources. A source names its key when the inventory
// has one, else any key that the host trusts will do; never [trusted=yes].
func aptFile(f resource.Facts, list []upstream) string {
	text := header
	for _, u := range list {
		key := ""
		if file, ok := u.file(); ok {
			key = " [signed-by=" + file + "]"
		}
		text += "# " + u.name + "\ndeb" + key + " " + aptURL(f, u) + "\n"
	}
	return text
}

// aptURL returns the URL, the suite and the components of u.
func aptURL(f resource.Facts, u upstream) string {
	expand := strings.NewReplacer("${distro_codename}", f.Codename, "${distro_name}", f.OS)
	return strings.Join(strings.Fields(expand.Replace(u.url)), " ")
}

// yumFile returns repository sections. Signatures are checked unless the
// inventory says otherwise.
func yumFile(f resource.Facts, list []upstream) string {
	text := header
	for _, u := range list {
		description := u.description
		if description == "" {
			description = u.name
		}
		text += "\n[" + u.name + "]\nname=" + description + "\nbaseurl=" + u.releasever(f) + "\n"
		options := map[string]string{"gpgcheck": "1", "enabled": "1"}
		order := []string{"gpgcheck", "enabled"}
		if u.key != "" {
			options["gpgkey"], order = u.key, append(order, "gpgkey")
			if strings.HasPrefix(u.key, "/") {
				options["gpgkey"] = "file://" + u.key
			}
		}
		for _, p := range u.meta {
			if _, ok := options[p.Key]; !ok {
				order = append(order, p.Key)
			}
			options[p.Key] = p.Value.Text
			if p.Value.Kind == inventory.Bool {
				options[p.Key] = map[bool]string{true: "1", false: "0"}[p.Value.Bool()]
			}
		}
		for _, key := range order {
			text += key + "=" + options[key] + "\n"
		}
	}
	return text
}

// releasever returns the URL with $releasever written out where repositories
// have another directory than the major version: one per minor version, or that
// of EPEL on EL 10.
func (u upstream) releasever(f resource.Facts) string {
	n, _ := strconv.Atoi(major(f))
	_, point, _ := strings.Cut(f.Version, ".")
	minor, _ := strconv.Atoi(point)
	version := "$releasever"
	switch {
	case u.minor:
		version = f.Version
	case strings.HasPrefix(u.name, "epel") && n >= 10:
		version = major(f) + "z"
	case strings.HasPrefix(u.name, "pgdg") && (n >= 10 || n == 9 && minor >= 6):
		version = f.Version
	}
	return strings.ReplaceAll(u.url, "$releasever", version)
}

// major returns the major version of a host's operating system: 12, 24, 9.
func major(f resource.Facts) string {
	n, _, _ := strings.Cut(f.Version, ".")
	return n
}

// words splits a list that is written with commas or blanks.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}
