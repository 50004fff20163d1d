package pgsql

import (
	"pigsty/internal/diag"
	"pigsty/internal/secret"
)

// User is a user or role, one item of pg_users or pg_default_roles. Attributes
// whose field is nil are left as they are; a new role has PostgreSQL's defaults.
type User struct {
	_ struct{} `doc:"A user or role. Attributes that are not written are left as they are, and a new role has PostgreSQL's defaults for them."`

	Pos           diag.Pos
	Name          string            `param:"name" required:"true" format:"username" doc:"Name of the role."`
	State         string            `param:"state" default:"create" enum:"create,absent" doc:"Whether the role exists. What an absent one owned passes to the superuser."`
	Password      secret.Value      `param:"password" doc:"Password, in clear or as a SCRAM or md5 hash."`
	Login         *bool             `param:"login" doc:"Whether it can log in. PostgreSQL's default for users: true."`
	Superuser     *bool             `param:"superuser" doc:"Whether nothing is forbidden to it."`
	CreateDB      *bool             `param:"createdb" doc:"Whether it can create databases."`
	CreateRole    *bool             `param:"createrole" doc:"Whether it can create roles."`
	Inherit       *bool             `param:"inherit" doc:"Whether it has the privileges of its roles. PostgreSQL's default: true."`
	Replication   *bool             `param:"replication" doc:"Whether it can replicate."`
	BypassRLS     *bool             `param:"bypassrls" doc:"Whether row-level security does not apply to it."`
	ConnLimit     *int              `param:"connlimit" min:"-1" doc:"Most connections at a time; -1 for any number."`
	ExpireIn      *int              `param:"expire_in" min:"0" doc:"Days from now on which the password is valid. Goes before expire_at."`
	ExpireAt      string            `param:"expire_at" format:"date" doc:"Date until which the password is valid, or infinity."`
	Roles         []RoleGrant       `param:"roles" unique:"name" doc:"Roles that it is a member of."`
	Parameters    map[string]string `param:"parameters" doc:"Server parameters for its sessions. DEFAULT resets one."`
	Comment       string            `param:"comment" doc:"Comment on the role."`
	PgBouncer     bool              `param:"pgbouncer" default:"false" doc:"Whether it can connect through PgBouncer."`
	PoolMode      string            `param:"pool_mode" enum:"transaction,session,statement" doc:"When its connections return to the pool."`
	PoolConnLimit *int              `param:"pool_connlimit" min:"-1" doc:"Most server connections that PgBouncer opens for it."`
}

// RoleGrant is a membership of a User.
type RoleGrant struct {
	_ struct{} `doc:"A membership in a role."`

	Pos     diag.Pos
	Name    string `param:"name" required:"true" bare:"true" doc:"The role to be a member of."`
	State   string `param:"state" default:"grant" enum:"grant,revoke,absent" doc:"Whether the membership exists."`
	Admin   *bool  `param:"admin" doc:"Whether the member can admit others."`
	Set     *bool  `param:"set" doc:"Whether the member can become the role (PostgreSQL 16 and later)."`
	Inherit *bool  `param:"inherit" doc:"Whether the member has the role's privileges (PostgreSQL 16 and later)."`
}

// Database is one item of pg_databases. Attributes whose field is nil are left
// as they are.
type Database struct {
	_ struct{} `doc:"A database. Attributes that are not written are left as they are."`

	Pos                diag.Pos
	Name               string            `param:"name" required:"true" doc:"Name of the database."`
	State              string            `param:"state" default:"create" enum:"create,absent,recreate" doc:"Whether the database exists. absent and recreate delete it with its data."`
	Baseline           string            `param:"baseline" doc:"SQL file to run in it, on the side that runs pigsty."`
	Owner              string            `param:"owner" format:"username" doc:"Owner of the database."`
	Template           string            `param:"template" doc:"Database to copy it from."`
	Encoding           string            `param:"encoding" doc:"Encoding of a new database."`
	Locale             string            `param:"locale" doc:"Locale of a new database."`
	LcCollate          string            `param:"lc_collate" doc:"Sort order of a new database."`
	LcCtype            string            `param:"lc_ctype" doc:"Character classes of a new database."`
	LocaleProvider     string            `param:"locale_provider" enum:"libc,icu,builtin" doc:"Who defines its locale (PostgreSQL 15 and later)."`
	ICULocale          string            `param:"icu_locale" doc:"Locale of ICU (PostgreSQL 15 and later)."`
	ICURules           string            `param:"icu_rules" doc:"Additional sort rules of ICU (PostgreSQL 16 and later)."`
	BuiltinLocale      string            `param:"builtin_locale" doc:"Locale of the builtin provider (PostgreSQL 17 and later)."`
	Strategy           string            `param:"strategy" enum:"wal_log,file_copy" fold:"true" doc:"How the template is copied (PostgreSQL 15 and later)."`
	Tablespace         string            `param:"tablespace" doc:"Default tablespace."`
	IsTemplate         *bool             `param:"is_template" doc:"Whether everybody who can create databases can copy it."`
	AllowConn          *bool             `param:"allowconn" doc:"Whether anybody can connect. PostgreSQL's default: true."`
	ConnLimit          *int              `param:"connlimit" min:"-1" doc:"Most connections at a time; -1 for any number."`
	RevokeConn         bool              `param:"revokeconn" default:"false" doc:"Whether only its owner, administrators, monitoring and those whom they admit can connect."`
	Parameters         map[string]string `param:"parameters" doc:"Server parameters for its sessions. DEFAULT resets one."`
	Comment            string            `param:"comment" doc:"Comment on the database."`
	Schemas            []Schema          `param:"schemas" unique:"name" doc:"Schemas in it."`
	Extensions         []Extension       `param:"extensions" unique:"name" doc:"Extensions in it."`
	PgBouncer          bool              `param:"pgbouncer" default:"true" doc:"Whether PgBouncer offers it."`
	PoolMode           string            `param:"pool_mode" enum:"transaction,session,statement" doc:"When connections to it return to the pool."`
	PoolSize           *int              `param:"pool_size" min:"0" doc:"Server connections for each user. 50 unless set."`
	PoolSizeMin        *int              `param:"pool_size_min" min:"0" doc:"Server connections that are kept open. 0 unless set."`
	PoolReserve        *int              `param:"pool_reserve" aka:"pool_size_reserve" min:"0" doc:"Further server connections when clients wait. 30 unless set."`
	PoolConnLimit      *int              `param:"pool_connlimit" aka:"pool_max_db_conn" min:"-1" doc:"Most server connections to it. 100 unless set."`
	PoolAuthUser       string            `param:"pool_auth_user" format:"username" doc:"User by which PgBouncer asks for the passwords of others."`
	RegisterDatasource bool              `param:"register_datasource" default:"true" doc:"Whether Grafana gets it as a data source."`
}

// Schema is a schema of a database.
type Schema struct {
	_ struct{} `doc:"A schema."`

	Pos   diag.Pos
	Name  string `param:"name" required:"true" bare:"true" doc:"Name of the schema."`
	Owner string `param:"owner" format:"username" doc:"Owner of the schema."`
	State string `param:"state" default:"create" enum:"create,absent" doc:"Whether the schema exists. absent deletes it with everything in it."`
}

// Extension is an extension of a database.
type Extension struct {
	_ struct{} `doc:"An extension."`

	Pos     diag.Pos
	Name    string `param:"name" required:"true" bare:"true" doc:"Name of the extension, as in CREATE EXTENSION."`
	Schema  string `param:"schema" doc:"Schema of its objects."`
	Version string `param:"version" doc:"Its version. The newest that is installed unless set."`
	State   string `param:"state" default:"create" enum:"create,absent" doc:"Whether the extension exists. absent deletes it with everything that depends on it."`
}
