package inventory

import (
	"strings"
	"testing"

	"pigsty/internal/secret"
	"pigsty/internal/vault"
)

// What ansible-vault 2.14 made of "DBUser.Viewer" with the password Vault.Test.
const envelope = `$ANSIBLE_VAULT;1.1;AES256
32326563393435336466626564363338636665616262313964393731393661663966353739666263
3039356434343862623631333665666137663230653866330a366637666239363430356634343761
32346132383838313666393764373035306633346461643564343238343439316335363664656534
3765636665623261610a656132653133373162313961333937323632306637316462373363353535
3837`

// What it made of a file with a syntax error, beside the text Quoted.Secret.
const badFile = `$ANSIBLE_VAULT;1.1;AES256
33613739653365353532646139346632373265386232303665346364373038663137373330623666
3435646461666431303463303133626139363662393663620a363031386361326432613537313862
39326235643135636663396262386439353562623330666139363361396230353537623232653839
6438653137613564320a653238323539396366613035613961383934623230633537323037313831
32363866623938346663633863386137623735373737613535633534373138386537
`

func keyring(password string) *vault.Keyring {
	return vault.NewKeyring(func() ([]vault.Key, error) {
		return []vault.Key{{ID: vault.DefaultID, Password: secret.New(password)}}, nil
	})
}

// locked is an inventory with the envelope, as YAML and as Ansible writes JSON.
func locked() Source {
	return Source{Name: "t.yml", Data: []byte(`all:
  hosts:
    h: { json: { __ansible_vault: "` + strings.ReplaceAll(envelope, "\n", `\n`) + `" }, both: "{{ yaml }} and more", same: "{{ json }}" }
  vars:
    yaml: !vault |
      ` + strings.ReplaceAll(envelope, "\n", "\n      ") + `
    open: plain
`)}
}

func TestLoadLocked(t *testing.T) {
	inv, diags := LoadLocked(keyring("Vault.Test"), locked())
	if diags = append(diags, inv.Check()...); len(diags) > 0 {
		t.Fatal(diags)
	}
	for name, want := range map[string]string{
		"yaml": "DBUser.Viewer", "json": "DBUser.Viewer", "same": "DBUser.Viewer", "both": "DBUser.Viewer and more", "open": "plain",
	} {
		v, _ := inv.Host("h").Vars().Get(name)
		if v.Value.Text != want || v.Value.Secret != (name != "open") || v.Value.Pos.Line == 0 {
			t.Errorf("%s is %+v, want %s", name, v.Value, want)
		}
	}
	if got := inv.Decrypted(); len(got) != 2 || got[0].Reveal() != "DBUser.Viewer" {
		t.Errorf("decrypted are %d texts", len(got))
	}
}

func TestWrongPassword(t *testing.T) {
	inv, diags := LoadLocked(keyring("wrong"), locked())
	if len(diags) != 2 || diags[1].Pos.String() != "t.yml:5:11" || !strings.Contains(diags[1].Message, "the password does not fit") {
		t.Errorf("got %v", diags)
	}
	if v, _ := inv.Host("h").Vars().Get("yaml"); v.Value.Tag != TagVault || v.Value.Secret {
		t.Errorf("got %+v", v.Value)
	}
}

// A message about a decrypted text must not quote it.
func TestBadFileInVault(t *testing.T) {
	_, diags := LoadLocked(keyring("Vault.Test"), Source{Name: "t.yml", Data: []byte(badFile)})
	if len(diags) != 1 || diags[0].Pos.Line != 1 || diags[0].Message != "the decrypted text is no valid YAML in line 1" {
		t.Errorf("got %v", diags)
	}
	var out strings.Builder
	diags.Render(&out, nil, false)
	if strings.Contains(out.String(), "Quoted") {
		t.Error(out.String())
	}
}
