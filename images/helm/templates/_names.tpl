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

{{/* A manifest of the launcher's own registry, with the node port of the values. */}}
{{- define "selvedge.registry" -}}
{{- if gt (len .root.Values.peers) 1 }}
{{- fail "registry.serve: a registry is one peer's, which has a volume and a node port of its own: name one, or use the kustomize component for each of them" }}
{{- end }}
{{ .root.Files.Get (printf "manifests/registry/%s.yaml" .file) | replace "30500" (toString .root.Values.registry.nodePort) }}
{{- end }}

{{/* Whether that is the peers' own namespace. */}}
{{- define "selvedge.beside" -}}
{{ if eq (include "selvedge.chaincode" .) .Release.Namespace }}yes{{ end }}
{{- end }}
