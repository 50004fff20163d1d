package pgsql

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pigsty/internal/module"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

// backups is a repository with two backups, and the server beside it.
func backups() postgres.BackupsSeen {
	at := func(clock string) time.Time {
		t, err := time.Parse(time.DateTime, "2030-01-31 "+clock)
		if err != nil {
			panic(err)
		}
		return t
	}
	return postgres.BackupsSeen{
		Now: at("12:00:00"),
		Sets: []postgres.BackupSet{
			{Label: "20300131-010000F", Type: "full", Stop: at("01:10:00"), StopLSN: "0/3000100", StartWAL: "000000010000000000000003"},
			{Label: "20300131-010000F_20300131-090000I", Type: "incr", Stop: at("09:05:00"), StopLSN: "0/9000100", StartWAL: "000000010000000000000009"},
			{Label: "20300131-010000F_20300131-100000I", Type: "incr", Stop: at("10:05:00"), StopLSN: "0/A000100", Failed: true},
		},
		WALMin: "000000010000000000000001", WALMax: "00000001000000000000000C",
		System: 7000000000000000001, Version: "17",
		Server: postgres.ServerSeen{Running: true, System: 7000000000000000001, Timeline: 1, LSN: "0/C000200", NextXID: 900},
	}
}

func TestRecoveryTarget(t *testing.T) {
	xid := func(n int) *int { return &n }
	const full, incr = "20300131-010000F", "20300131-010000F_20300131-090000I"
	for _, tt := range []struct {
		name   string
		target PITR
		want   string // label of the backup, or the end of the error
	}{
		{"newest before the time", PITR{Time: "2030-01-31 11:00:00+00"}, incr},
		{"in another zone", PITR{Time: "2030-01-31 16:00:00+08"}, full},
		{"before the newest ended", PITR{Time: "2030-01-31T09:04:59Z"}, full},
		{"before the oldest ended", PITR{Time: "2030-01-31 01:09:59+00"}, "2030-01-31 01:09:59+00 is before the end of the oldest backup, 20300131-010000F: nothing before 2030-01-31 01:10:00Z (LSN 0/3000100) can be restored"},
		{"in the future", PITR{Time: "2030-01-31 12:00:01+00"}, "is in the future: it is 2030-01-31 12:00:00Z there"},
		{"without a zone", PITR{Time: "2030-01-31 11:00:00"}, "has no time zone: write 2030-01-31 11:00:00+00 if that is UTC, or with the offset of your own zone"},
		{"at a position", PITR{LSN: "0/5000000"}, full},
		{"before the first position", PITR{LSN: "0/3000000"}, "LSN 0/3000000 is before the end of the oldest backup, 20300131-010000F: nothing before 2030-01-31 01:10:00Z (LSN 0/3000100) can be restored"},
		{"position in the future", PITR{LSN: "0/D000000"}, "LSN 0/D000000 is in the future: the server is at 0/C000200"},
		{"transaction", PITR{XID: xid(899)}, incr},
		{"transaction in the future", PITR{XID: xid(900)}, "transaction 900 is in the future: the next one is 900"},
		{"name", PITR{Name: "upgrade"}, incr},
		{"name, from an earlier backup", PITR{Name: "upgrade", Set: full}, full},
		{"everything", PITR{}, incr},
		{"unknown backup", PITR{Set: "20300131-010001F"}, "there is no backup 20300131-010001F (did you mean 20300131-010000F?); there are 20300131-010000F, 20300131-010000F_20300131-090000I"},
		{"backup after the target", PITR{Time: "2030-01-31 08:00:00+00", Set: incr}, "is before the end of backup " + incr + ", 2030-01-31 09:05:00Z (LSN 0/9000100)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, _, err := tt.target.pick(backups())
			got := set.Label
			if err != nil {
				got = err.Error()
			}
			if got != tt.want && (err == nil || !strings.HasSuffix(got, tt.want)) {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
	if _, _, err := (&PITR{}).pick(postgres.BackupsSeen{Problem: "the bucket is gone"}); err == nil || !strings.Contains(err.Error(), "the bucket is gone") {
		t.Error(err)
	}
	if _, _, err := (&PITR{}).pick(postgres.BackupsSeen{}); err == nil || !strings.Contains(err.Error(), "no backup to start from") {
		t.Error(err)
	}
}

// siteWith is the site of testdata/test.yml with an extra variable.
func siteWith(t *testing.T, extra string) *module.Site {
	t.Helper()
	s := siteOf(t, "test.yml", machine)
	if problems := s.Inventory.SetExtra([]string{extra}); problems.HasErrors() {
		t.Fatal(problems)
	}
	facts := map[string]resource.Facts{}
	for _, h := range s.Hosts() {
		facts[h.Name()] = machine
	}
	return module.NewSite(s.Inventory, s.Catalogue, facts)
}

// recoveryOf plans the recovery of pg-test in testdata/test.yml with the given
// value of pg_pitr, led by the second member.
func recoveryOf(t *testing.T, target string, change func(map[*Member]postgres.BackupsSeen)) (*Recovery, error) {
	t.Helper()
	c := Named(siteWith(t, `{"pg_pitr": `+target+`}`), "pg-test")
	seen := map[*Member]postgres.BackupsSeen{}
	for _, m := range c.Members {
		seen[m] = backups()
	}
	if change != nil {
		change(seen)
	}
	wanted, set := c.Wanted()
	if !set {
		t.Fatal("pg_pitr is not set")
	}
	view := patroni.Cluster{Members: []patroni.Member{{Name: "pg-test-1", Role: "replica"}, {Name: "pg-test-2", Role: "leader"}}}
	return c.Recover(wanted, &view, "", seen)
}

func TestRecoverySteps(t *testing.T) {
	r, err := recoveryOf(t, `{"time": "2030-01-31 11:00:00+00", "exclusive": true, "process": 3}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	moduletest.Golden(t, "pitr.steps", moduletest.Order(t, r.Steps()))
	moduletest.Golden(t, "pitr.files", files(r.Steps()))
	if got := r.Lost(); got != "everything committed after 2030-01-31 11:00:00Z, the last 1h0m0s" {
		t.Error(got)
	}

	// One that was cut after the server had recovered stops nothing any more.
	recovered := func(phase, request string) (*Recovery, error) {
		return recoveryOf(t, `{"time": "2030-01-31 11:00:00+00", "exclusive": true, "process": 3}`, func(seen map[*Member]postgres.BackupsSeen) {
			for m, s := range seen {
				if m.Instance() == "pg-test-3" {
					s.Recovery = &postgres.Progress{Cluster: "pg-test", Request: request, Phase: phase, Set: "20300131-010000F", Whole: true}
					seen[m] = s
				}
			}
		})
	}
	cut, err := recovered(postgres.PhaseRecovered, r.request())
	if err != nil {
		t.Fatal(err)
	}
	if cut.Member.Instance() != "pg-test-3" || cut.Set.Label != "20300131-010000F" {
		t.Errorf("it goes on with %s from %s", cut.Member.Instance(), cut.Set.Label)
	}
	for _, s := range cut.Steps() {
		switch res := s.Resource.(type) {
		case postgres.Restore, postgres.Stopped, *resource.UnitAbsent:
			t.Errorf("it still has the step %s", res.Key())
		}
	}
	other, err := recovered(postgres.PhaseRecovered, "something else")
	if err != nil {
		t.Fatal(err)
	}
	if other.Phase != "" || other.Set.Label != r.Set.Label {
		t.Errorf("another request goes on with an old one: %+v", other)
	}
}

// TestRecoveryServerGone goes on with a recovery whose server is gone before
// Patroni took it over: it is started again, and nobody waits for it in vain.
func TestRecoveryServerGone(t *testing.T) {
	c := Named(siteWith(t, `{"pg_pitr": {"time": "2030-01-31 11:00:00+00"}}`), "pg-test")
	target, _ := c.Wanted()
	request := (&Recovery{Cluster: c, Target: target}).request()
	for running, want := range map[bool]string{true: postgres.PhaseRecovered, false: postgres.PhaseRestored} {
		seen := map[*Member]postgres.BackupsSeen{}
		for _, m := range c.Members {
			s := backups()
			s.Server.Running = running && m == c.Members[1]
			if m == c.Members[1] {
				s.Recovery = &postgres.Progress{Request: request, Phase: postgres.PhaseRecovered, Set: "20300131-010000F", Timeline: 4}
			}
			seen[m] = s
		}
		r, err := c.Recover(target, nil, "", seen)
		if err != nil || r.Phase != want {
			t.Fatalf("running %v: %v, %+v", running, err, r)
		}
		again := false
		for _, step := range r.Steps() {
			if restore, ok := step.Resource.(postgres.Restore); ok {
				again = slices.Contains(restore.Target, "--target-timeline=4")
			}
		}
		if again == running {
			t.Errorf("running %v: its server is started: %v", running, again)
		}
	}
}

// TestRecoveryChoosesMember has only the member with the latest data restored,
// whatever record an old recovery left.
func TestRecoveryChoosesMember(t *testing.T) {
	r := &Recovery{Cluster: Named(siteWith(t, `{"pg_pitr": {}}`), "pg-test"), Target: &PITR{Time: "2030-01-31 11:00:00+00"}}
	c := r.Cluster
	seen := func(change func(m *Member, s *postgres.BackupsSeen)) map[*Member]postgres.BackupsSeen {
		out := map[*Member]postgres.BackupsSeen{}
		for _, m := range c.Members {
			var s postgres.BackupsSeen
			change(m, &s)
			out[m] = s
		}
		return out
	}
	record := func(phase, request string) func(*Member, *postgres.BackupsSeen) {
		return func(m *Member, s *postgres.BackupsSeen) {
			if m == c.Members[2] {
				s.Recovery = &postgres.Progress{Phase: phase, Request: request}
			}
		}
	}
	nothing := func(*Member, *postgres.BackupsSeen) {}
	for _, tc := range []struct {
		name, leader, on string
		seen             map[*Member]postgres.BackupsSeen
		want             int // index of the member, -1 if it must be named
	}{
		{"the leader", c.Members[1].Instance(), "", seen(nothing), 1},
		{"a leader in spite of a record of before", c.Members[1].Instance(), "", seen(record(postgres.PhaseBegun, r.request())), 1},
		{"a leader in spite of another request's record", c.Members[1].Instance(), "", seen(record(postgres.PhaseRecovered, "other")), 1},
		{"the end of a recovery that was cut", c.Members[1].Instance(), "", seen(record(postgres.PhaseRecovered, r.request())), 2},
		{"a recovery that was cut", "", "", seen(record(postgres.PhaseBegun, "other")), 2},
		{"a primary that runs without Patroni", "", "", seen(func(m *Member, s *postgres.BackupsSeen) { s.Server.Running, s.Server.Replica = true, m != c.Members[1] }), 1},
		{"nobody", "", "", seen(nothing), -1},
		{"the one that is named", "", c.Members[2].Instance(), seen(nothing), 2},
	} {
		found := r.choose(tc.leader, tc.on, tc.seen)
		if found != (tc.want >= 0) || found && r.Member != c.Members[tc.want] {
			t.Errorf("%s: %v, %s", tc.name, found, r.Member.Instance())
		}
	}
}

// TestRecoveryOfTwoPrimaries does not choose between two histories.
func TestRecoveryOfTwoPrimaries(t *testing.T) {
	c := Named(siteWith(t, `{"pg_pitr": {}}`), "pg-test")
	seen := map[*Member]postgres.BackupsSeen{}
	for i, m := range c.Members {
		seen[m] = postgres.BackupsSeen{Server: postgres.ServerSeen{Running: true, Replica: i == 0}}
	}
	_, err := c.Recover(&PITR{Type: "default", Archive: true}, nil, "", seen)
	if want := "pg-test-2 and pg-test-3 run as primaries, and nobody leads pg-test: name the one whose data count by --member"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestRecoveryRefused(t *testing.T) {
	for target, want := range map[string]string{
		`{"port": 5433}`:         "restoring to another data or port is not supported",
		`{"archive": false}`:     "archive: false is not supported",
		`{"action": "shutdown"}`: "action: shutdown is not supported",
	} {
		_, err := recoveryOf(t, target, nil)
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// another is what was seen of the backups of another database cluster, which the
// cluster's own place has nothing of.
func another(seen map[*Member]postgres.BackupsSeen) {
	for m, s := range seen {
		s.Server.System, s.Server.FailedWAL, s.Server.LastFailed = 7000000000000000002, "000000010000000000000001", s.Now
		s.Own = &postgres.OwnSeen{System: s.Server.System}
		seen[m] = s
	}
}

// fromElsewhere is everything that is restored to be a copy of another cluster.
const fromElsewhere = `{"cluster": "pg-meta", "repo": {"type": "s3", "s3_bucket": "b", "s3_endpoint": "there", "s3_key_secret": "hidden", "path": "/${pg_cluster}"}}`

// TestRecoveryOfAnother restores a lost cluster, and one from elsewhere: nothing of
// what is there keeps that back, and nothing is written there.
func TestRecoveryOfAnother(t *testing.T) {
	for _, tt := range []struct {
		name, target, source, archives, stanza string
	}{
		{"a lost cluster", `{}`, "stanza pg-test in the repository local (posix, path /pg/backup); of another database cluster, with the system identifier 7000000000000000001", "", "pg-test"},
		{"another cluster", `{"cluster": "pg-meta"}`, "stanza pg-meta in the repository local (posix, path /pg/backup); of another database cluster, with the system identifier 7000000000000000001",
			"to its own stanza pg-test in the repository local (posix, path /pg/backup), which has no backup of this until `pigsty pg backup pg-test --type full`", "pg-meta"},
		{"another repository", `{"repo": {"path": "/x/${pg_cluster}"}}`, "stanza pg-test in the repository of pg_pitr (posix, path /x/pg-test); of another database cluster, with the system identifier 7000000000000000001",
			"to its own stanza pg-test in the repository local (posix, path /pg/backup), which has no backup of this until `pigsty pg backup pg-test --type full`", "pg-test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := recoveryOf(t, tt.target, another)
			if err != nil {
				t.Fatal(err)
			}
			if r.Source() != tt.source || r.Archives() != tt.archives || r.Lost() != "everything that pg-test has now" {
				t.Errorf("source   %s\narchives %s\nlost     %s", r.Source(), r.Archives(), r.Lost())
			}
			restore := r.restore()
			if restore.Stanza != tt.stanza || !restore.Foreign || restore.Whole || restore.Timeline != 1 || restore.Beyond != 0 ||
				!slices.Contains(restore.Settings, "archive_library=") || !strings.HasPrefix(strings.Join(restore.Settings, " "), "shared_buffers=") {
				t.Errorf("%+v", restore)
			}
			order := moduletest.Order(t, r.Steps())
			identity, launch := strings.Index(order, "etcd identity /pg/pg-test/"), strings.Index(order, "10.10.10.12: unit patroni.service")
			if identity < 0 || identity < strings.Index(order, "restore pg-test") || identity > launch {
				t.Errorf("Patroni starts before it knows the new server:\n%s", order)
			}
			if own := strings.Contains(order, ": stanza pg-test"); own != (tt.archives != "") || strings.Contains(order, "stanza pg-meta") {
				t.Errorf("the stanza changes: %v\n%s", own, order)
			}
		})
	}

	r, err := recoveryOf(t, fromElsewhere, another)
	if err != nil {
		t.Fatal(err)
	}
	moduletest.Golden(t, "copy.steps", moduletest.Order(t, r.Steps()))
	for _, step := range r.Steps() {
		f, ok := step.Resource.(*resource.File)
		if !ok {
			continue
		}
		text := string(f.Content())
		for _, line := range []string{"repo1-path=/pg-meta\n", "repo1-s3-key-secret=hidden\n", "\n[pg-meta]\n"} {
			if !strings.Contains(text, line) || strings.Contains(text, "retention") || !slices.Contains(f.Mask, "repo1-s3-key-secret=") || f.Mode.Perm() != 0o600 {
				t.Errorf("%s does not have %q, or shows too much (%v):\n%s", f.Path, line, f.Mask, text)
			}
		}
	}
	for _, said := range []string{r.Source(), r.request()} {
		if strings.Contains(said, "hidden") {
			t.Errorf("it shows a secret: %s", said)
		}
	}
	if look := Named(siteWith(t, `{"pg_pitr": `+fromElsewhere+`}`), "pg-test").Members[0].Backups(r.Target).Resource.(postgres.Backups); look.From == nil || look.From.Stanza != "pg-meta" || look.Name != "pg-test" {
		t.Errorf("it looks at %+v", look)
	}
}

// TestRecoveryOfAnotherCut goes on where the data directory is the new one already,
// so that only the record knows what was there.
func TestRecoveryOfAnotherCut(t *testing.T) {
	r, err := recoveryOf(t, `{"cluster": "pg-meta"}`, another)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{`{"cluster": "pg-meta"}`, `{"time": "2030-01-31 11:00:00+00"}`} {
		c := Named(siteWith(t, `{"pg_pitr": `+target+`}`), "pg-test")
		seen := map[*Member]postgres.BackupsSeen{}
		for _, m := range c.Members {
			s := backups()
			s.Server = postgres.ServerSeen{System: s.System}
			s.Own = &postgres.OwnSeen{System: 7000000000000000002}
			if m == c.Members[1] {
				s.Recovery = &postgres.Progress{Request: r.request(), Phase: postgres.PhaseRestored, Set: "20300131-010000F", Foreign: true, Former: 7000000000000000002}
			}
			seen[m] = s
		}
		wanted, _ := c.Wanted()
		cut, err := c.Recover(wanted, nil, "", seen)
		if err != nil || !cut.Foreign || cut.Former != 7000000000000000002 || (cut.Phase == "") == (target == `{"cluster": "pg-meta"}`) {
			t.Fatalf("%s: %v, %+v", target, err, cut)
		}
		order := moduletest.Order(t, cut.Steps())
		if !strings.Contains(order, "etcd identity") {
			t.Errorf("%s: Patroni does not know the server:\n%s", target, order)
		}
		if emptied := strings.Contains(order, "/pg/spool/archive/pg-meta/in"); emptied && cut.Phase != "" {
			t.Errorf("%s: what a server recovers from may go:\n%s", target, order)
		}
	}
}

// TestRecoveryUnfit refuses what could not become this cluster, before anything stops.
func TestRecoveryUnfit(t *testing.T) {
	for _, tt := range []struct {
		name, target, want string
		change             func(*postgres.BackupsSeen)
	}{
		{"another version", `{}`, "pg-test-2: the backups of pg-test are of PostgreSQL 16, and pg-test runs 17: set pg_version to 16", func(s *postgres.BackupsSeen) { s.Version = "16" }},
		{"no such stanza", `{"cluster": "pg-meta"}`, "its repository has no backup to start from", func(s *postgres.BackupsSeen) { s.Sets, s.System, s.Version = nil, 0, "" }},
		{"its own repository is down", `{"cluster": "pg-meta"}`, "the repository of pg-test itself, where it has to archive afterwards, cannot be read: it is down",
			func(s *postgres.BackupsSeen) { s.Own = &postgres.OwnSeen{Problem: "it is down"} }},
		{"a stanza of somebody else", `{"cluster": "pg-meta"}`, "stanza pg-test, where pg-test has to archive afterwards, is of another database cluster (system identifier 3; pg-test has 7000000000000000002), which may be alive",
			func(s *postgres.BackupsSeen) { s.Own = &postgres.OwnSeen{System: 3} }},
		{"a new stanza", `{"cluster": "pg-meta"}`, "", func(s *postgres.BackupsSeen) { s.Own = &postgres.OwnSeen{} }},
		{"that of the source", `{"cluster": "pg-meta"}`, "", func(s *postgres.BackupsSeen) { s.Own = &postgres.OwnSeen{System: s.System} }},
		{"what an earlier restore kept", `{"cluster": "pg-meta", "backup": true}`, "/pg/data-backup is there already", func(s *postgres.BackupsSeen) { s.Aside = true }},
	} {
		c := Named(siteWith(t, `{"pg_pitr": `+tt.target+`, "pgbackrest_method": "minio"}`), "pg-test")
		seen := map[*Member]postgres.BackupsSeen{}
		for _, m := range c.Members {
			seen[m] = backups()
		}
		another(seen)
		for m, s := range seen {
			tt.change(&s)
			seen[m] = s
		}
		wanted, _ := c.Wanted()
		_, err := c.Recover(wanted, nil, "pg-test-2", seen)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestCopyAgain gives a copy that is made again a timeline that the first one did
// not have.
func TestCopyAgain(t *testing.T) {
	r, err := recoveryOf(t, `{"cluster": "pg-meta"}`, func(seen map[*Member]postgres.BackupsSeen) {
		for m, s := range seen {
			s.Server.Timeline = 6
			s.Own = &postgres.OwnSeen{System: s.System, Timeline: 5}
			seen[m] = s
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.restore(); got.Timeline != 1 || got.Beyond != 6 {
		t.Errorf("follows %d, beyond %d", got.Timeline, got.Beyond)
	}
	if !strings.HasSuffix(r.Source(), "; of the same database cluster") {
		t.Error(r.Source())
	}
}

// TestScripts has bash read the scripts, and shellcheck where there is one.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	for _, name := range append([]string{"pg-alias.sh"}, scripts...) {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(marked(script(name))), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("bash", "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", name, out)
		}
		if _, err := exec.LookPath("shellcheck"); err == nil {
			if out, err := exec.Command("shellcheck", file).CombinedOutput(); err != nil {
				t.Errorf("%s", out)
			}
		}
	}
	out, err := exec.Command("sh", filepath.Join(dir, "pg-pitr"), "-c", "-D", dir, "-s", "pg-test", "-t", "2030-01-31 12:00:00", "-X").CombinedOutput()
	if os.Getuid() == 0 {
		if err == nil || !strings.Contains(string(out), "not as root") {
			t.Errorf("%v: %s", err, out)
		}
	} else if err == nil || !strings.Contains(string(out), "has no time zone") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestRepositories renders pgBackRest's configuration for the kinds of repository.
func TestRepositories(t *testing.T) {
	var b strings.Builder
	for _, extra := range []string{
		`{"pgbackrest_method": "minio"}`,
		`{"pgbackrest_method": "safe", "pgbackrest_repo": {"safe": {"path": "/pg/backup", "cipher_type": "aes-256-cbc", "cipher_pass": "${pg_cluster}.secret", "retention_full_type": "time", "retention_full": 14}}}`,
	} {
		m := Named(siteWith(t, extra), "pg-test").Members[0]
		builder := m.builder()
		m.addBackup(builder)
		for _, step := range builder.Steps() {
			if f, ok := step.Resource.(*resource.File); ok {
				fmt.Fprintf(&b, "%s\nmasked: %s\nstanza: shared %v, looked at as files %v\n\n", f.Content(), strings.Join(f.Mask, " "), m.stanza().Shared, m.stanza().Repository != "")
			}
		}
		if _, err := plan.Arrange(builder.Steps(), nil); err != nil {
			t.Error(err)
		}
	}
	moduletest.Golden(t, "repositories.txt", b.String())
}
