package infra

import (
	"embed"
	"slices"
	"strings"
	"time"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

//go:embed templates/*.tmpl
var templateFiles embed.FS

var render = module.ParseTemplates(templateFiles).Render

// service is a program of an infra node with its unit and its options.
type service struct {
	Name        string       // of the unit, without its suffix
	Description string       // a few words
	User        string       // who runs it
	Program     string       // path
	Port        int          // where it answers
	Arguments   []string     // options that each are one word
	Options     string       // further options, as the inventory has them
	Paths       []string     // directories that it writes to
	Ambient     string       // capability that it needs
	Files       module.Limit // how many it may have open
	OOM         bool         // whether the kernel may be told to spare it
	NoReload    bool         // SIGHUP ends it
	Peers       []string     // networks and addresses that may talk to it, as it asks nobody for a password
	Listen      []string     // where systemd listens for it, so that Peers limits who reaches it and not whom it reaches
	Needs       []string     // keys of what must be there when it starts
	Restart     []string     // files that it reads only then
}

// Unit returns the name of the unit.
func (v service) Unit() string { return v.Name + ".service" }

// Variable returns the name of the variable that holds the options.
func (v service) Variable() string { return strings.ToUpper(v.Name) + "_OPTS" }

// EnvFile is where the options are.
func (v service) EnvFile() string { return "/etc/default/" + v.Name }

// UnitFile is where the unit is.
func (v service) UnitFile() string { return "/etc/systemd/system/" + v.Unit() }

// FilterFile is where it says who may talk to the service.
func (v service) FilterFile() string { return v.UnitFile() + ".d/pigsty.conf" }

// Socket returns the name of the unit that listens for the service.
func (v service) Socket() string { return v.Name + ".socket" }

// SocketFile is where that unit is.
func (v service) SocketFile() string { return "/etc/systemd/system/" + v.Socket() }

// Words returns all options as systemd reads them from a file of variables.
func (v service) Words() string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`)
	return escape.Replace(strings.Join(slices.Concat(v.Arguments, strings.Fields(v.Options)), " "))
}

// add adds the service's files to config and its unit to launch. The unit reads
// reload again while it runs; check must succeed before it is started or reloaded.
func (v service) add(i *instance, config, launch *plan.Builder, reload ...string) {
	v.Files, v.OOM = module.OpenFiles(i.Host, 1<<20), i.Facts.OOMAdjust || !i.HasFacts
	config.Add(
		resource.NewFile(v.EnvFile(), render("default.tmpl", v), resource.OwnedBy("root", groupName), resource.Mode(0o640)),
		resource.NewFile(v.UnitFile(), render("service.tmpl", v)),
	)
	unit := &resource.Unit{Name: v.Unit(), Enabled: true, Running: true, RestartOn: slices.Concat([]string{v.EnvFile(), v.UnitFile()}, v.Restart),
		After: slices.Concat(v.Needs, []string{"user " + v.User, "link " + v.Program})}
	if len(v.Listen) > 0 {
		config.Add(resource.NewFile(v.SocketFile(), render("socket.tmpl", v)))
		unit.Sockets, unit.RestartOn = []string{v.Socket()}, append(unit.RestartOn, v.SocketFile())
	} else {
		config.Add(v.filter())
		unit.RestartOn = append(unit.RestartOn, v.FilterFile())
	}
	for _, dir := range v.Paths {
		unit.After = append(unit.After, "dir "+dir)
	}
	if v.NoReload {
		unit.RestartOn = append(unit.RestartOn, reload...)
	} else {
		unit.ReloadOn = reload
	}
	launch.Add(unit, &resource.Condition{Name: v.Name + " answers", TCP: i.self(v.Port), Unit: v.Unit(), Timeout: startTimeout})
}

// filter says who may talk to the service, and whom it may talk to: systemd's
// filter knows addresses, not who began. It is a file of its own as a node that
// joins changes it.
func (v service) filter() *resource.File {
	return resource.NewFile(v.FilterFile(), render("filter.tmpl", v))
}

// startTimeout is how long a service may take to answer: one with much data
// looks through it first.
const startTimeout = 2 * time.Minute

// has reports whether options set the flag called name.
func has(options, name string) bool {
	for word := range strings.FieldsSeq(options) {
		flag, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if flag == name {
			return true
		}
	}
	return false
}
