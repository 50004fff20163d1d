package repo_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"pigsty/internal/repo"
	"pigsty/internal/resource"
)

// A host that lacks a package sees from the lock of a build that it is there now,
// and from the lock's date that its own index is older.
func TestHostsSeeWhatWasBuilt(t *testing.T) {
	u, infra, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0", "tool 1.0")
	converge(t, infra, u.build(t, dir, "app"), "create: does not exist: 1 packages, 0.0 MB")
	index := func() string {
		h := newHost()
		h.Disk.Put("/etc/apt/sources.list.d/local.list", "deb [signed-by="+repo.ClientKey+"] file://"+dir+" ./\n")
		h.Disk.Put(filepath.Join(dir, repo.LockFile), tree(t, dir)[repo.LockFile])
		h.Apt.Read = h.Disk.Now().Add(-time.Minute)
		h.Want(&resource.Packages{Items: []resource.PackageItem{{Name: "tool", Optional: true}}})
		c, err := (&resource.PackageIndex{}).Diff(ctx, h.Host)
		if err != nil {
			t.Fatal(err)
		}
		return c.Reason
	}
	if got := index(); got != "" {
		t.Errorf("without the package: %s", got)
	}
	converge(t, infra, u.build(t, dir, "app", "tool"), "change: lacks tool: tool →1.0")
	if got := index(); got != "the deployment's repository has tool now" {
		t.Errorf("with the package: %q", got)
	}
	written := func(name string) time.Time {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	if lock, last := written(repo.LockFile), written(repo.Complete); !lock.After(last) {
		t.Errorf("the lock is of %s, not of when the repository was put there, after %s", lock, last)
	}
}
