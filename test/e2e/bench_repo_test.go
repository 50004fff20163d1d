package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/google/rpmpack"

	"pigsty/internal/repo/deb"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/rpm"
)

// indexed is how many packages TestBenchRepository indexes.
const indexed = 2000

// TestBenchRepository compares reading and indexing small packages with what others
// make repositories with, over the same files.
func TestBenchRepository(t *testing.T) {
	if os.Getenv("PIGSTY_BENCH") == "" {
		t.Skip("run it with `make bench`")
	}
	w := newBareWorld(t, "10.10.46.0/24", 10)
	key, _, err := pgp.OpenOrCreate(t.TempDir(), "bench")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for n := range indexed {
		name := fmt.Sprintf("package-%d", n)
		if err := os.WriteFile(filepath.Join(dir, name+".deb"), smallDeb(t, name), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".rpm"), smallRPM(t, name, key), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.slowly(t, 10, "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends dpkg-dev apt-utils createrepo-c")
	w.send(t, 10, dir, "/srv/packages")
	apt := best(2, func() time.Duration { return indexForApt(t, dir, key) })
	dnf := best(2, func() time.Duration { return indexForDnf(t, dir, key) })
	for _, row := range []struct {
		what string
		took time.Duration
		by   string
		run  string
	}{
		{"index for apt", apt, "apt-ftparchive", "apt-ftparchive packages . >Packages && gzip -9k Packages && xz -k Packages"},
		{"index for apt", apt, "dpkg-scanpackages", "dpkg-scanpackages -h sha256 . >Packages && gzip -9k Packages && xz -k Packages"},
		{"index for dnf", dnf, "createrepo_c", "createrepo_c -q ."},
	} {
		floor := best(2, func() time.Duration {
			return w.timed(t, 10, "cd /srv/packages && rm -rf Packages* repodata && "+row.run)
		})
		fmt.Printf("| %s of %d packages | %.2f s | %.2f s (%s) | %.2f |\n",
			row.what, indexed, row.took.Seconds(), floor.Seconds(), row.by, row.took.Seconds()/floor.Seconds())
	}
}

// indexForApt makes and signs the index of all packages in dir.
func indexForApt(t *testing.T, dir string, key *pgp.Key) time.Duration {
	t.Helper()
	began := time.Now()
	entries := make([]string, indexed)
	for n := range entries {
		var err error
		if entries[n], err = deb.DescribeFile(filepath.Join(dir, fmt.Sprintf("package-%d.deb", n))); err != nil {
			t.Fatal(err)
		}
	}
	index, err := deb.NewIndex("bench", "amd64", entries, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.SignClear(index.Release); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// indexForDnf does the same for dnf, which takes verifying each package.
func indexForDnf(t *testing.T, dir string, key *pgp.Key) time.Duration {
	t.Helper()
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	ring := &pgp.Keyring{}
	if err := ring.Add(public); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	files, errs := make([]*rpm.File, indexed), make([]error, indexed)
	var all sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for core := range cores {
		all.Go(func() {
			for n := core; n < indexed; n += cores {
				files[n], errs[n] = openRPM(filepath.Join(dir, fmt.Sprintf("package-%d.rpm", n)), ring)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	index, err := rpm.NewMetadata(files, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.SignDetached(index.Repomd); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func openRPM(path string, ring *pgp.Keyring) (*rpm.File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	f, _, err := rpm.OpenFile(path, filepath.Base(path), hex.EncodeToString(sum[:]), ring)
	return f, err
}

// smallDeb is a package with one small file.
func smallDeb(t *testing.T, name string) []byte {
	t.Helper()
	control := "Package: " + name + "\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: nobody <nobody@example.com>\nDepends: " +
		strings.Repeat("libsomething (>= 1.2), ", 20) + "libc6\nDescription: what it is good for\n"
	out := bytes.NewBufferString("!<arch>\n")
	for _, m := range []struct {
		name string
		data []byte
	}{
		{"debian-binary", []byte("2.0\n")},
		{"control.tar.gz", tarball(t, map[string][]byte{"./control": []byte(control)})},
		{"data.tar.gz", tarball(t, map[string][]byte{"./usr/share/" + name: []byte(name)})},
	} {
		fmt.Fprintf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s%s", m.name, 0, 0, 0, "100644", len(m.data), m.data, strings.Repeat("\n", len(m.data)%2))
	}
	return out.Bytes()
}

// smallRPM is a signed package with one small file.
func smallRPM(t *testing.T, name string, key *pgp.Key) []byte {
	t.Helper()
	p, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: name, Version: "1.0", Release: "1", Arch: "x86_64", Epoch: rpmpack.NoEpoch, Compressor: "gzip"})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if err := p.Requires.Set(fmt.Sprintf("libsomething%d >= 1.2", n)); err != nil {
			t.Fatal(err)
		}
	}
	p.AddFile(rpmpack.RPMFile{Name: "/usr/share/" + name, Body: []byte(name), Mode: 0o100644, Owner: "root", Group: "root"})
	p.SetPGPSigner(func(data []byte) ([]byte, error) {
		text, err := key.SignDetached(data)
		if err != nil {
			return nil, err
		}
		block, err := armor.Decode(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(block.Body)
	})
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// tarball is a compressed archive of files.
func tarball(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	a := tar.NewWriter(z)
	for name, data := range files {
		if err := a.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// send copies the files of dir to a new directory of a host.
func (w *world) send(t *testing.T, n byte, dir, to string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(ctx, "ssh", append(w.box.SSHArgs(w.addr(n)), "mkdir "+to+" && tar xzf - -C "+to)...)
	c.Stdin = bytes.NewReader(tarball(t, files))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v\n%s", dir, err, out)
	}
}

// timed returns how long a command takes on a host, by its own clock.
func (w *world) timed(t *testing.T, n byte, script string) time.Duration {
	t.Helper()
	out := w.slowly(t, n, "began=$(date +%s%N); { "+script+"; } >/dev/null 2>&1 || exit 1; echo $(($(date +%s%N) - began))")
	took, err := strconv.ParseInt(out, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(took)
}
