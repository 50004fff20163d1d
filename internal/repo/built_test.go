package repo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pigsty/internal/repo"
)

// Packages that were built beside the repository get into it, if the deployment's
// own key vouches for them.
func TestBuiltPackages(t *testing.T) {
	u, h, dir := newUpstream(t), newHost(), filepath.Join(t.TempDir(), "pigsty")
	u.publish(t, "app 1.0; Depends: minio")
	if _, err := u.build(t, dir, "app").Diff(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "minio is wanted by app 1.0") {
		t.Fatalf("nobody has it: %v", err)
	}
	built := &upstream{dir: filepath.Join(filepath.Dir(dir), repo.Built)}
	if err := os.Mkdir(built.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	built.publish(t, "minio 1.0") // signed with a key that is not the deployment's
	h.Host.Forget("resolved repository " + dir)
	if _, err := u.build(t, dir, "app").Diff(ctx, h.Host); err == nil || !strings.Contains(err.Error(), "upstream built: ") {
		t.Errorf("somebody else's packages: %v", err)
	}
	release, err := os.ReadFile(filepath.Join(built.dir, "Release"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := keys()[1].SignClear(release)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(built.dir, "InRelease"), string(signed))
	converge(t, h, u.build(t, dir, "app"), "create: does not exist: 2 packages, 0.0 MB")
	if lock, err := repo.ReadLock(dir); err != nil || lock.Packages[1].Name != "minio" || lock.Packages[1].Origin != repo.Built {
		t.Errorf("the lock says %+v: %v", lock, err)
	}
}
