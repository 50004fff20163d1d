package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pigsty/internal/secret"
)

// What ansible-vault 2.14 made, of the passwords Vault.Test and dev.Secret.
const (
	ofAnsible = `$ANSIBLE_VAULT;1.1;AES256
30383836393632616438313462643730633739343764303561386635633166643564663830666363
6437313834383437333964383732363839363933653231650a343364653831333661356334376236
37363664643030613863303532386434393230623235323065323333363263663465386261373961
6131306532353030630a373362663836626464636230363935646137376264663138643336653332
39313361326263646338633965333138396333343865373638383633653037633966
`
	ofAnsibleWithID = `$ANSIBLE_VAULT;1.2;AES256;dev
          34393331646538383232323164663162633231663637323665653335316537326561323038393864
          6462323736653862653037663963336365333161373663610a373963653561323330646135343437
          31616631303736646635363261623732336336643161316439616164353831396534633638303237
          3938393031626338350a656131396664626334636134356466376231643934303939333433376534
          6236`
)

// seal is the inverse of open, with a salt that is made of the text.
func seal(text, password, id string) string {
	salt := sha256.Sum256([]byte(text))
	keys, err := pbkdf2.Key(sha256.New, password, salt[:], rounds, 2*keySize+aes.BlockSize)
	if err != nil {
		panic(err)
	}
	padding := aes.BlockSize - len(text)%aes.BlockSize
	data := append([]byte(text), bytes.Repeat([]byte{byte(padding)}, padding)...)
	block, err := aes.NewCipher(keys[:keySize])
	if err != nil {
		panic(err)
	}
	cipher.NewCTR(block, keys[2*keySize:]).XORKeyStream(data, data)
	mac := hmac.New(sha256.New, keys[keySize:2*keySize])
	mac.Write(data)
	header := magic + "1.1;AES256"
	if id != "" {
		header = magic + "1.2;AES256;" + id
	}
	return header + "\n" + hex.EncodeToString(fmt.Appendf(nil, "%x\n%x\n%x", salt, mac.Sum(nil), data)) + "\n"
}

func ring(keys ...Key) *Keyring { return NewKeyring(func() ([]Key, error) { return keys, nil }) }

func key(id, password string) Key { return Key{id, secret.New(password)} }

func TestOpen(t *testing.T) {
	right, dev := key(DefaultID, "Vault.Test"), key("dev", "dev.Secret")
	for _, test := range []struct {
		name, envelope string
		keys           []Key
		want, err      string
	}{
		{"of Ansible", ofAnsible, []Key{right}, `s3cret,ünï "q"`, ""},
		{"of Ansible, with an ID", ofAnsibleWithID, []Key{dev}, "Dev.Value", ""},
		{"indented, CR LF", strings.ReplaceAll(ofAnsibleWithID, "\n", "\r\n  "), []Key{dev}, "Dev.Value", ""},
		{"another ID's password fits", ofAnsibleWithID, []Key{right, key("prod", "dev.Secret")}, "Dev.Value", ""},
		{"several of one ID", ofAnsible, []Key{dev, key(DefaultID, "x"), right}, `s3cret,ünï "q"`, ""},
		{"a whole block", seal("0123456789abcdef", "p", ""), []Key{key(DefaultID, "p")}, "0123456789abcdef", ""},
		{"nothing inside", seal("", "p", "x"), []Key{key("x", "p")}, "", ""},
		{"wrong password", ofAnsible, []Key{key(DefaultID, "Vault.Tes")}, "", "the password does not fit"},
		{"wrong password of the ID", ofAnsibleWithID, []Key{key("dev", "x"), right}, "", "neither the password of dev nor another fits"},
		{"no password of the ID", ofAnsibleWithID, []Key{right, key("prod", "x")}, "", "it wants the password of dev, and of those given (default, prod) none fits"},
		{"no password", ofAnsible, nil, "", "no password is given"},
		{"one digit changed", strings.Replace(ofAnsible, "3966\n", "3965\n", 1), []Key{right}, "", "the password does not fit"},
		{"cut short", ofAnsible[:strings.Index(ofAnsible, "37363664")], []Key{right}, "", "it is cut short, or lines of it are missing"},
		{"cut in the last part", strings.TrimSuffix(ofAnsible, "3966\n"), []Key{right}, "", "it is damaged: its parts do not have their lengths"},
		{"only a header", magic + "1.1;AES256", []Key{right}, "", "it is cut short, or lines of it are missing"},
		{"no digits", magic + "1.1;AES256\nxyz", []Key{right}, "", "what follows its first line is not hexadecimal"},
		{"older format", magic + "1.0;AES\n00", []Key{right}, "", `its format "1.0" is not known; 1.1 and 1.2 are`},
		{"other cipher", magic + "1.1;AES512\n00", []Key{right}, "", `its cipher "AES512" is not known; AES256 is`},
		{"no envelope", "CANARY", []Key{right}, "", "its first line is not like $ANSIBLE_VAULT;1.1;AES256"},
	} {
		got, err := ring(test.keys...).Open(test.envelope)
		if said := fmt.Sprint(err); got != test.want || (err != nil || test.err != "") && said != test.err {
			t.Errorf("%s: got %q, %v; want %q, %s", test.name, got, err, test.want, test.err)
		}
	}
}

func TestKeysAreAskedForOnce(t *testing.T) {
	asked, broken := 0, errors.New("no such file")
	k := NewKeyring(func() ([]Key, error) { asked++; return nil, broken })
	if asked != 0 || k.Err() != nil {
		t.Errorf("asked %d times before there was a need: %v", asked, k.Err())
	}
	for range 2 {
		if _, err := k.Open(ofAnsible); !errors.Is(err, ErrLocked) {
			t.Errorf("got %v", err)
		}
	}
	if asked != 1 || k.Err() != broken {
		t.Errorf("asked %d times: %v", asked, k.Err())
	}
	var none *Keyring
	if _, err := none.Open(ofAnsible); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(ofAnsible)
	f.Add(ofAnsibleWithID)
	f.Add(seal("text", "p", "x"))
	f.Add(magic + "1.2;AES256;\n")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parse(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if !Is(strings.TrimSpace(text)) {
			t.Errorf("%q was taken for an envelope", text)
		}
		plain, err := e.open("p")
		if err == nil && seal(plain, "p", e.id) == "" || err != nil && plain != "" {
			t.Errorf("%q: %q, %v", text, plain, err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	e, err := parse(ofAnsible)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := e.open("Vault.Test"); err != nil {
			b.Fatal(err)
		}
	}
}
