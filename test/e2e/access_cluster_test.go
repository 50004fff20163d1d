package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// accessPasswords gives the server weak passwords, which it refuses, and then
// the inventory, which is refused before a host is reached.
func accessPasswords(t *testing.T, w *world) {
	for password, refusal := range map[string]string{"short.1": "password is too short", "lettersonly": "both letters and nonletters", "dbuser_view.1": "must not contain user name"} {
		got := w.on(t, 10, "cd /tmp; sudo -u postgres psql -qX -c \"set password_encryption = 'scram-sha-256'; alter role dbuser_view password '"+password+"'\" 2>&1 || true")
		if !strings.Contains(got, refusal) {
			t.Errorf("password %s: %q", password, got)
		}
	}
	w.edited(t, "password: DBUser.Viewer ", "password: short.1 ")
	if r := w.pigsty(t, "plan"); r.status != 5 || !strings.Contains(r.out, "password of user dbuser_view is shorter than 8 characters") || strings.Contains(r.out, "short.1") {
		t.Errorf("a weak password in the inventory: status %d\n%s", r.status, r.out)
	}
	w.edited(t, "password: short.1 ", "password: DBUser.Viewer ")
}

// accessSynchronous checks who confirms commits: one of the cluster's own
// replicas, and never the delayed cluster.
func accessSynchronous(t *testing.T, w *world) {
	states := w.query(t, leader(t, w), "postgres", "select string_agg(sync_state, ' ' order by application_name) from pg_stat_replication")
	if states != "sync async async" && states != "async sync async" {
		t.Errorf("pg-meta-2, pg-meta-3 and pg-meta-delay-1 are %s", states)
	}
	w.holds(t, leader(t, w), []fact{
		{"synchronous_commit", "postgres", "show synchronous_commit", "on"},
		{"system users expire", "postgres", `select rolname, round(extract(epoch from rolvaliduntil - now()) / 86400) from pg_authid
			where rolvaliduntil is not null order by 1`, "dbuser_dba|7300\ndbuser_monitor|7300\npostgres|7300\nreplicator|7300"},
		{"libraries", "postgres", "show shared_preload_libraries", `timescaledb, $libdir/passwordcheck, pg_stat_statements, auto_explain`},
		{"checksums", "postgres", "show data_checksums", "on"},
	})
	if got := w.on(t, 11, "curl -s --cacert /pg/cert/ca.crt https://"+w.addr(11)+":8008/config"); !strings.Contains(got, `"synchronous_mode": true`) || !strings.Contains(got, `"synchronous_mode_strict": true`) {
		t.Errorf("Patroni's configuration is %s", got)
	}
}

// reached is the host that answers at a port, and whether it is in recovery.
func (w *world) reached(host byte, port int) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := w.sql(ctx, host, port, "dbuser_view", passwords["dbuser_view"], "meta", w.ca(port))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	var who string
	err = conn.QueryRow(ctx, "select host(inet_server_addr()) || ' ' || pg_is_in_recovery()").Scan(&who)
	return who, err
}

// accessServices asks each service who answers.
func accessServices(t *testing.T, w *world) {
	leads := leader(t, w)
	primary := w.addr(leads) + " false"
	for _, c := range []struct {
		port int
		want []string
	}{
		{5433, []string{primary}}, {5436, []string{primary}}, {5435, []string{primary}}, // of standby: its check is the default, which a leader answers
		{5434, replicas(w, leads)},
		{5438, []string{w.addr(12) + " true"}}, // pg_offline_query
	} {
		if leads == 12 && c.port == 5438 {
			continue
		}
		eventually(t, 2*time.Minute, fmt.Sprint("port ", c.port), func() error {
			got, err := w.reached(10, c.port)
			for _, want := range c.want {
				if got == want {
					return nil
				}
			}
			return fmt.Errorf("%q answers (%v), not %q", got, err, c.want)
		})
	}
	eventually(t, 2*time.Minute, "the virtual address", func() error {
		if got, err := w.reached(2, 5432); got != primary && got != w.addr(2)+" false" {
			return fmt.Errorf("%q answers (%v)", got, err)
		}
		return nil
	})
}

// replicas are the members that do not lead, as reached says them.
func replicas(w *world, leads byte) []string {
	var out []string
	for _, n := range []byte{10, 11, 12} {
		if n != leads {
			out = append(out, w.addr(n)+" true")
		}
	}
	return out
}

// accessDelay measures how late a row arrives at the delayed cluster, which
// has what it needs of the first one's extensions.
func accessDelay(t *testing.T, w *world) {
	w.query(t, leader(t, w), "meta", "begin; create table late (at timestamptz); insert into late values (clock_timestamp()); commit")
	eventually(t, 2*time.Minute, "the row on the delayed cluster", func() error {
		if got := w.query(t, 13, "meta", "select to_regclass('late') is not null"); got != "t" {
			return fmt.Errorf("it is not there yet")
		}
		return nil
	})
	// Hosts of a sandbox share one clock.
	if got := w.query(t, 13, "meta", fmt.Sprintf("select clock_timestamp() - at, clock_timestamp() - at >= interval '%s' from late", late)); !strings.HasSuffix(got, "|t") {
		t.Errorf("a cluster that should be %s late has the row after %s", late, got)
	}
	w.holds(t, 13, []fact{
		{"it is a standby", "meta", "select pg_is_in_recovery(), current_setting('recovery_min_apply_delay')", "t|" + late.String()},
		{"what it reads", "meta", "select postgis_version() is not null", "t"},
	})
}

// accessSwitchover hands over the lead: the address follows, as do services and
// the delayed cluster, and somebody else confirms commits.
func accessSwitchover(t *testing.T, w *world) {
	w.must(t, "pg", "switchover", "pg-meta", "-y")
	leads := leader(t, w)
	if leads == 10 {
		t.Fatal("nobody else leads")
	}
	addressAt(t, w, leads)
	whole(t, w, accessRuns)
	accessServices(t, w)
	eventually(t, 2*time.Minute, "those who follow", func() error {
		got := w.query(t, leads, "postgres", "select count(*), count(*) filter (where sync_state = 'sync') from pg_stat_replication where state = 'streaming' and application_name <> 'pg-meta-delay-1'")
		// The delayed cluster stays with the old leader if that is back in time.
		if got += "|" + w.query(t, 13, "postgres", "select status from pg_stat_wal_receiver"); got != "2|1|streaming" {
			return fmt.Errorf("how many, how many of them synchronous, and the delayed cluster: %s", got)
		}
		return nil
	})
	for _, a := range []attempt{
		{user: "dbuser_meta", db: "meta", port: 5432, options: w.ca(5432), host: 2},
		{user: "dbuser_meta", db: "meta", port: 6432, options: w.ca(6432), host: 2},
		{user: "dbuser_meta", db: "meta", port: 5432, options: "sslmode=disable", host: 2, refused: "no encryption"},
	} {
		if err := a.try(w); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	w.settled(t)
}
