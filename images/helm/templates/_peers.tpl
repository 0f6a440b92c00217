{{/* A patch that adds Selvedge to a peer. */}}
{{- define "selvedge.attach" }}
{{- $pod := (.root.Files.Get "manifests/component/pod.yaml" | fromYaml).spec.template.spec }}
{{- $template := dict "spec" $pod }}
{{- if .root.Values.registry.serve }}
{{- $own := (include "selvedge.registry" (dict "root" .root "file" "pod") | fromYaml).spec.template }}
{{- $_ := set $template "metadata" $own.metadata }}
{{- $_ := set $pod "volumes" (concat $pod.volumes $own.spec.volumes) }}
{{- range $container := $pod.initContainers }}
{{- range $further := $own.spec.initContainers }}
{{- if eq $container.name $further.name }}
{{- $_ := set $container "ports" (concat $container.ports $further.ports) }}
{{- $_ := set $container "volumeMounts" (concat $container.volumeMounts $further.volumeMounts) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if .root.Values.serviceAccount }}
{{- $_ := unset $pod "serviceAccountName" }}
{{- $_ := unset $pod "serviceAccount" }}
{{- end }}
{{- range $container := $pod.initContainers }}
{{- $_ := set $container "image" $.root.Values.image }}
{{- range $variable := $container.env }}
{{- if and (eq $variable.name "SELVEDGE_CHAINCODE_NAMESPACE") $.root.Values.chaincode.namespace }}
{{- $_ := set $variable "value" $.root.Values.chaincode.namespace }}
{{- end }}
{{- end }}
{{- end }}
{{- range $container := $pod.containers }}
{{- $_ := set $container "name" $.peer.container }}
{{- range $variable := $container.env }}
{{- if and (eq $variable.name "CORE_CHAINCODE_EXTERNALBUILDERS") $.root.Values.builders }}
{{- $all := concat ($variable.value | fromYamlArray) $.root.Values.builders }}
{{- $_ := set $variable "value" ($all | toJson) }}
{{- end }}
{{- end }}
{{- end }}
{{- dict "spec" (dict "template" $template) | toYaml }}
{{- end }}

{{/* A patch that takes away what that adds: of lists what is named there, of the rest all. */}}
{{- define "selvedge.detach" }}
{{- $template := (include "selvedge.attach" . | fromYaml).spec.template }}
{{- $pod := $template.spec }}
{{- $spec := dict }}
{{- range $key, $value := $pod }}
{{- if kindIs "map" $value }}
{{- $none := dict }}
{{- range $key, $_ := $value }}
{{- $_ := set $none $key nil }}
{{- end }}
{{- $_ := set $spec $key $none }}
{{- else if not (kindIs "slice" $value) }}
{{- $_ := set $spec $key nil }}
{{- end }}
{{- end }}
{{- range $list := list "initContainers" "volumes" }}
{{- $_ := set $spec $list (include "selvedge.gone" (dict "items" (index $pod $list) "key" "name") | fromYamlArray) }}
{{- end }}
{{- $peer := index $pod.containers 0 }}
{{- $env := include "selvedge.gone" (dict "items" $peer.env "key" "name") | fromYamlArray }}
{{- $mounts := include "selvedge.gone" (dict "items" $peer.volumeMounts "key" "mountPath") | fromYamlArray }}
{{- $_ := set $spec "containers" (list (dict "name" $peer.name "env" $env "volumeMounts" $mounts)) }}
{{- $gone := dict "spec" $spec }}
{{- range $key, $labels := $template.metadata }}
{{- $none := dict }}
{{- range $label, $_ := $labels }}
{{- $_ := set $none $label nil }}
{{- end }}
{{- $_ := set $gone "metadata" (dict $key $none) }}
{{- end }}
{{- dict "spec" (dict "template" $gone) | toYaml }}
{{- end }}

{{/* The items of a list as a patch has them go. */}}
{{- define "selvedge.gone" }}
{{- range $item := .items }}
- {{ dict $.key (index $item $.key) "$patch" "delete" | toJson }}
{{- end }}
{{- end }}
