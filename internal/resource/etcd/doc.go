// Package etcd talks to etcd's JSON gateway (/v3/…, etcd 3.4 and later,
// https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/), and holds the
// resources of an etcd cluster: members, authentication, accounts, keys.
package etcd

import "pigsty/internal/resource"

// Resources returns a zero value of every resource of this package, for
// resource.Register.
func Resources() []resource.Resource {
	return []resource.Resource{Health{}, Auth{}, Account{}, Member{}, MemberAbsent{}, DeletePrefix{}, AccountAbsent{}, Identity{}, Report{}}
}
