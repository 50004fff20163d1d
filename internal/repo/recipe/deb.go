package recipe

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5" // the format has it, to find damage on disk
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// writeDeb writes the package in the format of deb(5).
func (r *Recipe) writeDeb(w io.Writer, c *compiled, arch string) error {
	all := r.contents(c, "/usr/share/doc/"+r.Name+"/copyright")
	data, err := r.debData(all)
	if err != nil {
		return err
	}
	control, err := r.debControl(all, arch)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "!<arch>\n"); err != nil {
		return err
	}
	for _, member := range []struct {
		name string
		body []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", control}, {"data.tar.zst", data}} {
		if _, err := fmt.Fprintf(w, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", member.name, r.time().Unix(), 0, 0, "100644", len(member.body)); err != nil {
			return err
		}
		if _, err := w.Write(member.body); err != nil {
			return err
		}
		if len(member.body)%2 == 1 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// debData returns the archive of the package's files with the directories above
// them.
func (r *Recipe) debData(all []content) ([]byte, error) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	made := map[string]bool{}
	for _, f := range all {
		if err := r.debDir(t, made, path.Dir(f.path)); err != nil {
			return nil, err
		}
		if err := r.debFile(t, "."+f.path, int64(f.mode), f.body); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (r *Recipe) debDir(t *tar.Writer, made map[string]bool, dir string) error {
	if made[dir] {
		return nil
	}
	made[dir] = true
	if dir != "/" {
		if err := r.debDir(t, made, path.Dir(dir)); err != nil {
			return err
		}
	}
	name := strings.TrimSuffix("."+dir, "/") + "/"
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, Uname: "root", Gname: "root", ModTime: r.time(), Format: tar.FormatGNU})
}

func (r *Recipe) debFile(t *tar.Writer, name string, mode int64, body []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(body)), Uname: "root", Gname: "root", ModTime: r.time(), Format: tar.FormatGNU}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err := t.Write(body)
	return err
}

// debControl returns the archive of what dpkg is told of the package.
func (r *Recipe) debControl(all []content, arch string) ([]byte, error) {
	var b, sums, configs strings.Builder
	var size int
	for _, f := range all {
		size += len(f.body)
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(f.body), strings.TrimPrefix(f.path, "/"))
		if f.config {
			configs.WriteString(f.path + "\n")
		}
	}
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	field("Package", r.Name)
	field("Version", r.FullVersion())
	field("Architecture", arch)
	field("Maintainer", packager)
	field("Installed-Size", fmt.Sprint((size+1023)/1024))
	field("Depends", strings.Join(r.Depends.Deb, ", "))
	field("Section", "database")
	field("Priority", "optional")
	field("Homepage", r.Homepage)
	b.WriteString("Description: " + r.Summary + "\n")
	for line := range strings.Lines(r.Description) {
		if line = strings.TrimSpace(line); line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // fails only for a level that is none
	t := tar.NewWriter(z)
	for _, f := range []struct {
		name, text string
		mode       int64
	}{
		{"control", b.String(), 0o644}, {"md5sums", sums.String(), 0o644}, {"conffiles", configs.String(), 0o644},
		{"postinst", script(r.installed()), 0o755}, {"prerm", script(r.removing()), 0o755}, {"postrm", script(r.reload()), 0o755},
	} {
		if f.text == "" {
			continue
		}
		if err := r.debFile(t, "./"+f.name, f.mode, []byte(f.text)); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// packager is who a package says has made it.
const packager = "the software repository of this deployment <root@localhost>"

// script returns a shell script of lines, "" if there are none.
func script(lines string) string {
	if lines == "" {
		return ""
	}
	return "#!/bin/sh\n" + lines
}
