// Package patroni talks to Patroni's REST API, and holds the resources that
// need it: waiting for members, the cluster's dynamic configuration, restarts
// that keep the cluster available.
//
// The API is that of Patroni 3 and 4: https://patroni.readthedocs.io/en/latest/rest_api.html.
package patroni

import "pigsty/internal/resource"

// Resources returns a zero value of every resource of this package, for
// resource.Register.
func Resources() []resource.Resource {
	return []resource.Resource{Ready{}, LeaderReady{}, DynamicConfig{}, Standby{}, RollingRestart{}, &Report{},
		View{}, Switchover{}, Failover{}, Paused{}, Reload{}, Reinit{}, Adopt{}}
}
