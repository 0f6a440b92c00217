// What Kubernetes itself makes of the cases beside this file, and how it merges each list of a pod
// template. Run from the module that has Kubernetes:
//
//	cd tests/testbed/kubernetes/kubernetes
//	go run ../../../../manifest/tests/strategic/merge.go ../../../../manifest/tests/strategic
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type testCase struct {
	Name     string          `json:"name"`
	Template json.RawMessage `json:"template"`
	Overlay  json.RawMessage `json:"overlay"`
	Merged   json.RawMessage `json:"merged"`
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func compact(text []byte) string {
	var out bytes.Buffer
	check(json.Compact(&out, text))
	return out.String()
}

// One part of a case a line, so that a change of one can be read.
func writeCases(path string, cases []testCase) {
	var out strings.Builder
	for i, each := range cases {
		between := ",\n"
		if i == 0 {
			between = "[\n"
		}
		name, err := json.Marshal(each.Name)
		check(err)
		fmt.Fprintf(&out, "%s{\n  \"name\": %s,\n  \"template\": %s,\n  \"overlay\": %s,\n  \"merged\": %s\n}",
			between, name, compact(each.Template), compact(each.Overlay), compact(each.Merged))
	}
	check(os.WriteFile(path, []byte(out.String()+"\n]\n"), 0o644))
}

// The lists below a type: their path, and what their items are told apart by ("" by nothing: the
// list is replaced; "=" by the items themselves).
func lists(of reflect.Type, path string, found map[string]string) {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return
	}
	for i := range of.NumField() {
		field := of.Field(i)
		if !field.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		below := strings.TrimPrefix(path+"."+name, ".")
		if name == "" {
			below = path
		}
		if field.Type.Kind() != reflect.Slice || field.Type.Elem().Kind() == reflect.Uint8 {
			lists(field.Type, below, found)
			continue
		}
		found[below] = ""
		if strings.HasPrefix(field.Tag.Get("patchStrategy"), "merge") {
			found[below] = "="
			if key := field.Tag.Get("patchMergeKey"); key != "" {
				found[below] = key
			}
		}
		lists(field.Type.Elem(), below, found)
	}
}

func main() {
	path := filepath.Join(os.Args[1], "cases.json")
	text, err := os.ReadFile(path)
	check(err)
	var cases []testCase
	check(json.Unmarshal(text, &cases))
	for i, each := range cases {
		merged, err := strategicpatch.StrategicMergePatch(each.Template, each.Overlay, corev1.PodTemplateSpec{})
		if err != nil {
			log.Fatalf("%s: %v", each.Name, err)
		}
		cases[i].Merged = merged
	}
	writeCases(path, cases)
	found := map[string]string{}
	lists(reflect.TypeFor[corev1.PodTemplateSpec](), "", found)
	text, err = json.MarshalIndent(found, "", "  ")
	check(err)
	check(os.WriteFile(filepath.Join(os.Args[1], "lists.json"), append(text, '\n'), 0o644))
}
