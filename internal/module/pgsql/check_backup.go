package pgsql

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
	"pigsty/internal/module/minio"
	"pigsty/internal/param"
)

// repositoryTypes are what pgBackRest can keep backups on, each with the options
// that it needs.
var repositoryTypes = map[string][]string{
	"posix": nil,
	"cifs":  nil,
	"s3":    {"s3_bucket", "s3_endpoint", "s3_region"},
	"azure": {"azure_account", "azure_container"},
	"gcs":   {"gcs_bucket"},
	"sftp":  {"sftp_host", "sftp_host_user", "sftp_private_key_file"},
}

// repositoryOptions are the options of a repository (pgBackRest 2.55), without repo1- before them.
var repositoryOptions = strings.Fields(`azure_account azure_container azure_endpoint azure_key azure_key_type azure_uri_style
	block block_age_map block_checksum_size_map block_size_map block_size_super block_size_super_full bundle bundle_limit bundle_size
	cipher_pass cipher_type gcs_bucket gcs_endpoint gcs_key gcs_key_type gcs_user_project hardlink
	host host_ca_file host_ca_path host_cert_file host_cmd host_config host_config_include_path host_config_path host_key_file host_port host_type host_user
	local path retention_archive retention_archive_type retention_diff retention_full retention_full_type retention_history
	s3_bucket s3_endpoint s3_key s3_key_secret s3_key_type s3_kms_key_id s3_region s3_requester_pays s3_role s3_sse_customer_key s3_token s3_uri_style
	sftp_host sftp_host_fingerprint sftp_host_key_check_type sftp_host_key_hash_type sftp_host_port sftp_host_user sftp_known_host
	sftp_private_key_file sftp_private_key_passphrase sftp_public_key_file storage_ca_file storage_ca_path storage_host storage_port storage_tag
	storage_upload_chunk_size storage_verify_tls symlink target_time type`)

// repositorySize is how pgBackRest writes a size.
var repositorySize = regexp.MustCompile(`^[0-9]+([kKmMgGtTpP]i?)?[bB]?$`)

// checkBackup checks the repository that m's cluster keeps its backups in.
func (m *Member) checkBackup(s *module.Site, l *diag.List) {
	p := m.Params
	if !p.PgbackrestEnabled {
		return
	}
	repo, ok := p.PgbackrestRepo[p.PgbackrestMethod]
	if !ok {
		known := slices.Sorted(maps.Keys(p.PgbackrestRepo))
		advice := "define it there"
		if near := diag.Nearest(p.PgbackrestMethod, slices.Values(known)); near != "" {
			advice = "write " + near + ", or define it there"
		}
		l.Fail(m.valueAt("pgbackrest_method"), "unknown-repository",
			fmt.Sprintf("pgbackrest_method %s is none of pgbackrest_repo: %s", p.PgbackrestMethod, strings.Join(known, ", ")), advice)
		return
	}
	m.checkRepository(repo, l)
	if m.repositorySetting("type") == "s3" {
		m.checkMinIO(s, l)
	}
}

// optionAt returns where an option of m's repository is written, or what chose
// the repository when it is a default.
func (m *Member) optionAt(names ...string) diag.Pos {
	if v, ok := m.Vars.Get("pgbackrest_repo"); ok {
		repo, _ := v.Value.Get(m.Params.PgbackrestMethod)
		for _, name := range names {
			if option, ok := repo.Get(name); ok {
				return option.Pos
			}
		}
		return repo.Pos
	}
	return m.valueAt("pgbackrest_method")
}

// checkRepository checks the options of a repository.
func (m *Member) checkRepository(repo map[string]param.Setting, l *diag.List) {
	name := m.Params.PgbackrestMethod
	kind := orElse(m.repositorySetting("type"), "posix")
	needs, known := repositoryTypes[kind]
	if !known {
		l.Fail(m.optionAt("type"), "invalid-value", "the repository "+name+" has the unknown type "+kind, "write one of "+strings.Join(slices.Sorted(maps.Keys(repositoryTypes)), ", "))
	}
	if kind == "s3" && !slices.Contains([]string{"auto", "web-id"}, m.repositorySetting("s3_key_type")) {
		needs = append(slices.Clip(needs), "s3_key", "s3_key_secret")
	}
	if cipher := m.repositorySetting("cipher_type"); cipher != "" && cipher != "none" {
		needs = append(slices.Clip(needs), "cipher_pass")
	}
	for _, option := range needs {
		if repo[option].Reveal() == "" {
			l.Fail(m.optionAt("cipher_type", "type"), "missing-field", "the repository "+name+" has no "+option, "add "+option)
		}
	}
	for _, option := range slices.Sorted(maps.Keys(repo)) {
		value := repo[option].Reveal()
		switch {
		case !slices.Contains(repositoryOptions, option):
			if near := diag.Nearest(option, slices.Values(repositoryOptions)); near != "" {
				l.Warn(m.optionAt(option), "unknown-setting", "pgBackRest has no option "+option+" of a repository", "write "+near)
			}
		case option == "retention_full_type":
			if value != "count" && value != "time" {
				l.Fail(m.optionAt(option), "invalid-value", "retention_full_type of the repository "+name+" is "+value, "write count for a number of backups or time for days")
			}
		case strings.HasPrefix(option, "retention_") && !strings.HasSuffix(option, "_type"):
			if n, err := strconv.Atoi(value); err != nil || n < 0 || n == 0 && option != "retention_history" {
				l.Fail(m.optionAt(option), "invalid-value", option+" of the repository "+name+" is no number of backups or days: "+value, "write a number from 1")
			}
		case option == "storage_port" || option == "host_port":
			if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 65535 {
				l.Fail(m.optionAt(option), "out-of-range", option+" of the repository "+name+" is no port: "+value, "write a number from 1 to 65535")
			}
		case option == "bundle_size" || option == "bundle_limit":
			if !repositorySize.MatchString(value) {
				l.Fail(m.optionAt(option), "invalid-format", option+" of the repository "+name+" is no size: "+value, "write it like 20MiB")
			}
		}
	}
}

// checkMinIO checks that a repository in the deployment's own MinIO can be
// reached: that there is one, that its name is known, and that it lets
// pgBackRest in. A name that others resolve leads to somebody else's store.
func (m *Member) checkMinIO(s *module.Site, l *diag.List) {
	name, endpoint := m.Params.PgbackrestMethod, m.repositorySetting("s3_endpoint")
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(endpoint, "https://"), "http://"), ":")
	var own *minio.Params
	for _, h := range s.Hosts() {
		if p := module.Params[minio.Params](h); p.MinioCluster != "" && (p.MinioDomain == host || h.Name() == host) {
			own = p
		}
	}
	records := m.node().NodeEtcHosts
	records = append(records[:len(records):len(records)], m.node().NodeDefaultEtcHosts...)
	resolved := slices.ContainsFunc(records, func(line string) bool { return slices.Contains(strings.Fields(line), host) })
	switch {
	case own == nil && strings.HasSuffix(host, ".pigsty") && !resolved:
		l.Warn(m.valueAt("pgbackrest_method"), "no-minio",
			fmt.Sprintf("cluster %s keeps its backups on %s, and no host runs MinIO under that name (minio_cluster, minio_domain)", m.Cluster.Name, host),
			"add a group with minio_cluster and minio_seq, or an address for "+host+" to node_etc_hosts")
	case own == nil:
		return
	case !m.minioHas(own, m.repositorySetting("s3_bucket")):
		l.Warn(m.optionAt("s3_bucket"), "unknown-bucket",
			fmt.Sprintf("the repository %s uses the bucket %s, which minio_buckets does not have", name, m.repositorySetting("s3_bucket")), "add it to minio_buckets")
	case own.MinioProvision && !slices.ContainsFunc(own.MinioUsers, func(u minio.User) bool {
		return u.AccessKey == m.repositorySetting("s3_key") && u.SecretKey.Reveal() == m.repositorySetting("s3_key_secret")
	}) && m.repositorySetting("s3_key") != own.MinioAccessKey:
		l.Warn(m.optionAt("s3_key"), "unknown-user",
			fmt.Sprintf("no user of minio_users has the s3_key and s3_key_secret of the repository %s", name), "give both the same name and password")
	}
}

// minioHas reports whether bucket is one that MinIO gets.
func (m *Member) minioHas(p *minio.Params, bucket string) bool {
	return !p.MinioProvision || slices.ContainsFunc(p.MinioBuckets, func(b minio.Bucket) bool { return b.Name == bucket })
}

// advise finds what works but is worth a word: passwords that everybody can
// look up, and clusters whose failover hangs on a single etcd member.
func advise(s *module.Site) diag.List {
	var hosts, own []*module.Host
	var l diag.List
	lonely := false
	published, _ := s.Catalogue.Lookup("pgbackrest_repo")
	for _, c := range Clusters(s) {
		for _, m := range c.Members {
			hosts = append(hosts, m.Host)
		}
		m := c.first()
		if len(c.Members) > 1 && len(c.Etcd) == 1 && c.Params.PatroniEnabled && !lonely {
			lonely = true
			l.Note(m.At("pg_cluster"), "single-etcd", "no cluster elects a new leader while the only etcd member is down", "have 3 etcd members on hosts that fail apart from each other")
		}
		m.adviseSodium(&l)
		repo, _ := published.Default.Get(c.Params.PgbackrestMethod)
		for _, option := range []string{"cipher_pass", "s3_key_secret"} {
			if v, ok := repo.Get(option); ok && c.Params.PgbackrestEnabled && v.Text == m.repositorySetting(option) {
				own = append(own, m.Host)
				break
			}
		}
	}
	l.Add(module.Published(s, hosts, "pg_admin_password", "pg_monitor_password", "pg_replication_password", "patroni_password")...)
	if len(own) > 0 {
		l.Warn(own[0].At("pgbackrest_method"), "published-password",
			"everybody can look up the passwords of the repository in use (pgbackrest_repo)", "write pgbackrest_repo with a cipher_pass and an s3_key_secret of your own")
	}
	return l
}
