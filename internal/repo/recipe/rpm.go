package recipe

import (
	"bytes"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/google/rpmpack"

	"pigsty/internal/repo/pgp"
)

// rpmArch is what EL calls an architecture.
var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// writeRPM writes the package in the format of rpm, signed with key.
func (r *Recipe) writeRPM(w io.Writer, c *compiled, arch string, key *pgp.Key) error {
	meta := rpmpack.RPMMetaData{
		Name: r.Name, Version: r.Version, Release: fmt.Sprint(r.Release), Arch: rpmArch[arch], Epoch: rpmpack.NoEpoch,
		Summary: r.Summary, Description: r.Description, Licence: r.License, URL: r.Homepage, Packager: packager,
		BuildTime: r.time(), BuildHost: "localhost", Compressor: "zstd",
	}
	for _, name := range r.Depends.RPM {
		if err := meta.Requires.Set(name); err != nil {
			return fmt.Errorf("depends.rpm: %q: %w", name, err)
		}
	}
	p, err := rpmpack.NewRPM(meta)
	if err != nil {
		return err
	}
	for _, f := range r.contents(c, "/usr/share/licenses/"+r.Name+"/LICENSE") {
		kind := rpmpack.GenericFile
		switch {
		case f.config:
			kind = rpmpack.ConfigFile | rpmpack.NoReplaceFile
		case f.doc:
			kind = rpmpack.LicenceFile
		}
		p.AddFile(rpmpack.RPMFile{
			Name: f.path, Body: f.body, Mode: uint(f.mode), Owner: "root", Group: "root", MTime: uint32(r.time().Unix()), Type: kind,
		})
	}
	p.AddPostin(r.installed())
	p.AddPreun(r.removing())
	p.AddPostun(r.reload())
	p.SetPGPSigner(func(data []byte) ([]byte, error) { return detached(key, data) })
	return p.Write(w)
}

// detached returns the signature of data as a package has it, which is not in armor.
func detached(key *pgp.Key, data []byte) ([]byte, error) {
	text, err := key.SignDetached(data)
	if err != nil {
		return nil, err
	}
	block, err := armor.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(block.Body)
}
