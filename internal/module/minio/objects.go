package minio

import (
	"pigsty/internal/diag"
	"pigsty/internal/secret"
)

// Bucket is one item of minio_buckets.
type Bucket struct {
	_ struct{} `doc:"A bucket, with a policy of the same name that allows everything in it."`

	Pos        diag.Pos
	Name       string `param:"name" required:"true" bare:"true" pattern:"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$" form:"3 to 63 lower-case letters, digits, dots and dashes" doc:"Name of the bucket and of its policy."`
	Versioning bool   `param:"versioning" default:"false" doc:"Whether old versions of objects are kept."`
	Lock       bool   `param:"lock" default:"false" doc:"Whether objects can be locked against deletion. Only a new bucket can have this."`
}

// User is one item of minio_users.
type User struct {
	_ struct{} `doc:"A user and what it may do."`

	Pos       diag.Pos
	AccessKey string       `param:"access_key" required:"true" doc:"Name of the user."`
	SecretKey secret.Value `param:"secret_key" required:"true" doc:"Its password; at least 8 characters."`
	Policy    string       `param:"policy" doc:"Policy of the user, such as the name of a bucket."`
}
