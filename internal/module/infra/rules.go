package infra

import (
	"embed"
	"path"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// rulesDir is where vmalert reads rules. Files of others may lie beside ours.
const rulesDir = home + "/rules"

// ruleFiles are the recording and alerting rules, one file for each kind of
// thing that is watched.
//
//go:embed rules/*.yml
var ruleFiles embed.FS

// rules adds the files of rules, which vmalert has to accept.
func (i *instance) rules(b *plan.Builder) {
	prune := &resource.Prune{Dir: rulesDir, Glob: "*.yml", Header: module.Managed}
	entries, _ := ruleFiles.ReadDir("rules")
	for _, e := range entries {
		text, _ := ruleFiles.ReadFile(path.Join("rules", e.Name()))
		prune.Keep = append(prune.Keep, e.Name())
		b.Add(resource.NewFile(rulesDir+"/"+e.Name(), module.Managed+"\n"+string(text),
			resource.OwnedBy("victoria", groupName), resource.Mode(0o640),
			resource.CheckedBy("vmalert", "-dryRun", "-rule=%s")))
	}
	b.Add(prune)
}
