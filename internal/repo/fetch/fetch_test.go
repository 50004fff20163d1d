package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

var quick = &Client{Pause: time.Millisecond}

func TestDownloadGoesOnWhereItWasCut(t *testing.T) {
	const text = "0123456789abcdef"
	var ranges []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		http.ServeContent(w, r, "f", time.Time{}, strings.NewReader(text))
	}))
	defer srv.Close()
	file := File{URLs: []string{srv.URL + "/f"}, Name: "f", Size: int64(len(text)), SHA256: digest(text)}
	for name, part := range map[string]string{"cut": text[:10], "another file's": "XXXXXXXXXX", "too long": text + text} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ranges = nil
			if err := os.WriteFile(filepath.Join(dir, "f.part"), []byte(part), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := quick.Download(context.Background(), dir, []File{file}, nil); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, "f"))
			if err != nil || string(got) != text {
				t.Errorf("got %q, error %v", got, err)
			}
			if name == "cut" && (len(ranges) != 1 || ranges[0] != "bytes=10-") {
				t.Errorf("asked for ranges %q", ranges)
			}
			if _, err := os.Stat(filepath.Join(dir, "f.part")); err == nil {
				t.Error("the part is still there")
			}
		})
	}
}

// Nothing tells that a part is of the file that there is now.
func TestDownloadWithoutDigestBeginsAnew(t *testing.T) {
	const text = "version 2 of the file"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "f", time.Time{}, strings.NewReader(text))
	}))
	defer srv.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f.part"), []byte("version 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := quick.Download(context.Background(), dir, []File{{URLs: []string{srv.URL + "/f"}, Name: "f"}}, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(got) != text {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestDownloadChecks(t *testing.T) {
	srv := httptest.NewServer(http.FileServer(http.Dir(t.TempDir())))
	defer srv.Close()
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("evil")) }))
	defer bad.Close()
	dir := t.TempDir()
	file := File{URLs: []string{bad.URL + "/f"}, Name: "f", Size: 4, SHA256: digest("good")}
	err := quick.Download(context.Background(), dir, []File{file}, nil)
	if err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("a wrong file: error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("a wrong file left %v", left)
	}
	file.URLs = []string{srv.URL + "/f"}
	var missing *NotFound
	if err := quick.Download(context.Background(), dir, []File{file}, nil); !errors.As(err, &missing) {
		t.Errorf("a missing file: error %v", err)
	}
}

func TestAnotherMirrorAndAnotherTry(t *testing.T) {
	var calls atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte("good"))
	}))
	defer srv.Close()
	dir := t.TempDir()
	file := File{URLs: []string{"http://127.0.0.1:1/f", srv.URL + "/f"}, Name: "f", Size: 4, SHA256: digest("good")}
	placed := 0
	if err := quick.Download(context.Background(), dir, []File{file}, func(File) { placed++ }); err != nil || placed != 1 {
		t.Fatalf("placed %d, error %v", placed, err)
	}
	before := calls.Load()
	if err := quick.Download(context.Background(), dir, []File{file}, nil); err != nil || calls.Load() != before {
		t.Errorf("a file that is there was asked for again, error %v", err)
	}
}

func TestFileURL(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := quick.Get(context.Background(), "file://"+dir+"/index")
	if err != nil || string(got) != "text" {
		t.Errorf("got %q, error %v", got, err)
	}
	var missing *NotFound
	if _, err := quick.Get(context.Background(), "file://"+dir+"/no"); !errors.As(err, &missing) {
		t.Errorf("a missing file: error %v", err)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for raw, want := range map[string]string{
		"http://user:geheim@example.org/x":           "http://example.org/x",
		"https://geheim@example.org/x":               "https://example.org/x",
		"https://example.org/x?v=1&X-Amz-Sig=geheim": "https://example.org/x?X-Amz-Sig=hidden&v=1",
		"https://example.org/x?b=2&a=1":              "https://example.org/x?b=2&a=1",
		"http://user:ge%heim@example.org/x":          "…@example.org/x",
		"file:///srv/repo":                           "file:///srv/repo",
	} {
		if got := Shown(raw); got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
	}
	behind := New(Proxies{HTTP: "http://user:ge%heim@127.0.0.1:1"})
	for url, c := range map[string]*Client{
		"http://user:geheim@127.0.0.1:1/x":  {Pause: time.Millisecond, Retries: 1},
		"http://user:ge%heim@127.0.0.1:1/x": quick,
		"http://example.org/x":              behind,
	} {
		if _, err := c.Get(context.Background(), url); err == nil || strings.Contains(err.Error(), "heim") {
			t.Errorf("%s: error %v", url, err)
		}
	}
}

// TestSilence gives up on a server that sends half of a file and then nothing.
func TestSilence(t *testing.T) {
	was := silence
	silence = 50 * time.Millisecond
	defer func() { silence = was }()
	gone := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("01234"))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-gone:
		}
	}))
	defer srv.Close()
	defer close(gone)
	if _, err := (&Client{Pause: time.Millisecond, Retries: 1}).Get(context.Background(), srv.URL); !errors.Is(err, errSilent) {
		t.Errorf("error %v", err)
	}
}
