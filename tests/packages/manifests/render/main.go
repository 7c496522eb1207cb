// SPDX-License-Identifier: Apache-2.0

// render -- what a manifest says once its tool has read it, as JSON:
//
//	render compose FILE     as docker compose reads it, checked against the
//	                        schema of the compose specification
//	render kustomize DIR    as kubectl apply -k reads it: a list
//	render helm CHART [KEY=VALUE...]
//	                        as helm template does, in the namespace shop: a list
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func compose(path string, _ []string) (any, error) {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithOsEnv)
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, err
	}
	text, err := project.MarshalJSON()
	return json.RawMessage(text), err
}

func kustomize(path string, _ []string) (any, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, one := range made.Resources() {
		what, err := one.Map()
		if err != nil {
			return nil, err
		}
		all = append(all, what)
	}
	return all, nil
}

// What one file of a chart has become: its documents.
func documents(text string) ([]any, error) {
	made := []any{}
	for _, one := range strings.Split("\n"+text, "\n---") {
		var what map[string]any
		if err := yaml.UnmarshalStrict([]byte(one), &what); err != nil {
			return nil, err
		}
		if what != nil {
			made = append(made, what)
		}
	}
	return made, nil
}

func helm(path string, settings []string) (any, error) {
	chart, err := loader.Load(path)
	if err != nil {
		return nil, err
	}
	given := map[string]any{}
	for _, one := range settings {
		if err := strvals.ParseInto(one, given); err != nil {
			return nil, err
		}
	}
	// It holds them to values.schema.json, too.
	values, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{
		Name: "test", Namespace: "shop", IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(chart, values)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for name := range files {
		if strings.HasSuffix(name, ".yaml") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	all := []any{}
	for _, name := range names {
		made, err := documents(files[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, made...)
	}
	return all, nil
}

func main() {
	kinds := map[string]func(string, []string) (any, error){
		"compose": compose, "kustomize": kustomize, "helm": helm}
	if len(os.Args) < 3 || kinds[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr,
			"usage: render compose FILE | kustomize DIR | helm CHART [KEY=VALUE...]")
		os.Exit(64)
	}
	made, err := kinds[os.Args[1]](os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "render: %s: %v\n", os.Args[2], err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	if out.Encode(made) != nil {
		os.Exit(1)
	}
}
