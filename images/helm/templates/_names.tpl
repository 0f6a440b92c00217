{{/* Where chaincode is built and runs. */}}
{{- define "selvedge.chaincode" -}}
{{ default (printf "%s-chaincode" .Release.Namespace) .Values.chaincode.namespace }}
{{- end }}

{{/* Makes the launcher's service account the subject of a RoleBinding; renders nothing. */}}
{{- define "selvedge.subjects" }}
{{- range $subject := .subjects }}
{{- $_ := set $subject "namespace" $.root.Release.Namespace }}
{{- $_ := set $subject "name" (default $subject.name $.root.Values.serviceAccount) }}
{{- end }}
{{- end }}

{{/* Whether that is the peers' own namespace. */}}
{{- define "selvedge.beside" -}}
{{ if eq (include "selvedge.chaincode" .) .Release.Namespace }}yes{{ end }}
{{- end }}
