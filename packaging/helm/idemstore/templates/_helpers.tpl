{{- /* (list TOP IMAGE): its name, with the chart's version where it has no tag */}}
{{- define "idemstore.image" -}}
{{- $top := index . 0 }}{{ $image := index . 1 -}}
{{ $image.repository }}:{{ $image.tag | default $top.Chart.AppVersion }}
{{- end }}

{{- /* NUMBER: the two other nodes of three, as a list of settings */}}
{{- define "idemstore.others" -}}
{{- $i := . -}}
{{- $all := list -}}
{{- range $j := until 3 -}}
{{- if ne $j $i -}}
{{- $all = append $all (printf "%q" (printf "idemstore-%d.idemstore-nodes:7117" $j)) -}}
{{- end -}}
{{- end -}}
{{ join ", " $all }}
{{- end }}
