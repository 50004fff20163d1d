package infra

import (
	"fmt"
	"regexp"
	"time"

	"pigsty/internal/diag"
)

// retention finds how long something is kept among the options of a store.
var retention = regexp.MustCompile(`-retentionPeriod[= ]"?([^\s"]*)`)

// retentionForm is a number of months, or of what its letter says.
var retentionForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?[hdwy]?$`)

// checkMetrics checks how often metrics are collected and how long they are kept.
func (i *instance) checkMetrics(l *diag.List) {
	interval, _ := time.ParseDuration(i.VmetricsScrapeInterval)
	timeout, _ := time.ParseDuration(i.VmetricsScrapeTimeout)
	if interval > 0 && timeout > interval {
		l.Fail(i.At("vmetrics_scrape_timeout"), "contradiction",
			fmt.Sprintf("vmetrics_scrape_timeout %s is longer than vmetrics_scrape_interval %s", i.VmetricsScrapeTimeout, i.VmetricsScrapeInterval),
			"lower the former or raise the latter")
	}
	check := func(name, options string) {
		if m := retention.FindStringSubmatch(options); m != nil && !retentionForm.MatchString(m[1]) {
			l.Fail(i.At(name), "invalid-format", "-retentionPeriod in "+name+" is no length of time: "+m[1], "write it like 15d, 4w or 1y")
		}
	}
	check("vmetrics_options", i.VmetricsOptions)
	check("vlogs_options", i.VlogsOptions)
	check("vtraces_options", i.VtracesOptions)
}
