package node

import (
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// cronFile holds the entries of node_crontab. They do not go to /etc/crontab:
// on Debian that file starts the daily jobs of all packages, log rotation among
// them, and node_crontab_overwrite would stop those.
const cronFile = "/etc/cron.d/pigsty"

// crontab keeps the jobs of node_crontab.
func crontab(b *plan.Builder, h *module.Host) {
	p := module.Params[Params](h)
	b = b.Tag("node_crontab")
	if len(p.NodeCrontab) == 0 {
		b.Add(&resource.Absent{Path: cronFile, Reason: "node_crontab is empty"})
		return
	}
	daemon := map[string]string{"deb": "cron", "rpm": "cronie"}[family(h)]
	unit := map[string]string{"deb": "cron.service", "rpm": "crond.service"}[family(h)]
	b.Add(&resource.Packages{Items: []resource.PackageItem{{Name: daemon, For: "node_crontab"}}})

	// cron passes over the entries of a user who does not exist when it reads the file.
	after := b
	for _, entry := range p.NodeCrontab {
		if user := cronUser(entry); user != "" {
			after = after.After(b.ID("user " + user))
		}
	}
	after.Add(resource.NewFile(cronFile, render("cron.tmpl", p.NodeCrontab)))
	b.Add(&resource.Unit{Name: unit, Enabled: true, Running: true})
}

// cronUser returns the user that an entry runs as, "" for a comment or a variable.
func cronUser(entry string) string {
	fields := strings.Fields(entry)
	switch {
	case len(fields) == 0 || strings.HasPrefix(entry, "#"):
		return ""
	case strings.HasPrefix(fields[0], "@") && len(fields) > 1:
		return fields[1]
	case len(fields) > 6 && !strings.Contains(fields[0], "="):
		return fields[5]
	}
	return ""
}
