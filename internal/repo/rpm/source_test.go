package rpm

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pigsty/internal/repo/fetch"
)

func put(t *testing.T, root, name, text string) {
	t.Helper()
	at := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSources(t *testing.T) {
	root := t.TempDir()
	put(t, root, "etc/dnf/vars/contentdir", "pub/rocky\n")
	put(t, root, "etc/dnf/dnf.conf", "[main]\ngpgcheck=1\nproxy = http://proxy.example.org:3128\n")
	put(t, root, "etc/yum.repos.d/rocky.repo", `
# the base system
[baseos]
name=Rocky $releasever
mirrorlist=https://mirrors.example.org/list?arch=$basearch&repo=BaseOS-$releasever$rltype
#baseurl=http://dl.example.org/$contentdir/
enabled=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9
       file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-Testing

[off]
baseurl=http://off.example.org
enabled=0
`)
	put(t, root, "etc/yum.repos.d/third.repo", "[main]\ncachedir=/x\n[third]\nbaseurl = http://one.example.org/$contentdir/${basearch}/,\n  http://two.example.org/\nrepo_gpgcheck=true\n")
	vars, err := ReadVars(root, "9.6", "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadSources(root, vars)
	if err != nil {
		t.Fatal(err)
	}
	want := []Source{
		{Name: "baseos", Mirrors: "https://mirrors.example.org/list?arch=x86_64&repo=BaseOS-9$rltype", Keys: "file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9 file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-Testing"},
		{Name: "third", Bases: []string{"http://one.example.org/pub/rocky/x86_64/", "http://two.example.org/"}, SignedIndex: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if proxy := Proxy(root); proxy != "http://proxy.example.org:3128" {
		t.Errorf("the proxy is %q", proxy)
	}
	if proxy := Proxy(t.TempDir()); proxy != "" {
		t.Errorf("the proxy is %q", proxy)
	}
}

// A list of mirrors is one URL a line or a metalink; one that is down is passed over.
func TestMirrors(t *testing.T) {
	files := http.FileServer(http.Dir("testdata"))
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/list":
			_, _ = w.Write([]byte("# mirrors\n" + srv.URL + "/down/\n" + srv.URL + "/repo\n"))
		case "/metalink":
			_, _ = w.Write([]byte(`<metalink xmlns="http://www.metalinker.org/"><files><file name="repomd.xml"><resources>
				<url protocol="rsync">rsync://example.org/repodata/repomd.xml</url><url protocol="http">` + srv.URL + `/repo/repodata/repomd.xml</url></resources></file></files></metalink>`))
		case "/empty":
		default:
			files.ServeHTTP(w, r)
		}
	}))
	defer srv.Close()
	for list, bases := range map[string][]string{"list": {srv.URL + "/repo/", srv.URL + "/down/"}, "metalink": {srv.URL + "/repo/"}, "empty": nil} {
		s := source(t, "repo")
		s.Bases, s.Mirrors = nil, srv.URL+"/"+list
		indexes, err := ReadAll(ctx, []Source{s}, "x86_64", Trust{Root: "/"}, &fetch.Client{})
		if (err != nil) != (bases == nil) {
			t.Errorf("%s: error %v", list, err)
		}
		if err == nil {
			if d := cmp.Diff(bases, indexes[0].Packages[0].Origin.Bases); d != "" {
				t.Errorf("%s: %s", list, d)
			}
		}
	}
}
