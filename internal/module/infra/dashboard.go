package infra

import "encoding/json"

// A grid of Grafana's is 24 wide; panels stand two in a row.
const (
	panelWidth  = 12
	panelHeight = 8
)

type object = map[string]any

// json returns the dashboard as Grafana reads it.
func (d board) json() []byte {
	metrics := object{"type": "prometheus", "uid": "ds-prometheus"}
	var panels []any
	for n, p := range d.Panels {
		panels = append(panels, object{
			"id": n + 1, "type": "timeseries", "title": p.Title, "datasource": metrics,
			"gridPos":     object{"x": n % 2 * panelWidth, "y": n / 2 * panelHeight, "w": panelWidth, "h": panelHeight},
			"fieldConfig": object{"defaults": object{"unit": p.Unit}, "overrides": []any{}},
			"targets":     []any{object{"refId": "A", "expr": p.Query, "legendFormat": p.Legend, "datasource": metrics}},
		})
	}
	out, _ := json.MarshalIndent(object{ // plain values always marshal
		"uid": d.UID, "title": d.Title, "tags": []string{"pigsty", d.Folder}, "timezone": "browser", "schemaVersion": 39,
		"refresh": "30s", "time": object{"from": "now-1h", "to": "now"}, "panels": panels, "editable": false,
	}, "", "  ")
	return append(out, '\n')
}
