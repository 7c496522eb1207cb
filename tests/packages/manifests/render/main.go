// SPDX-License-Identifier: Apache-2.0

// render -- what a manifest says once its tool has read it, as JSON:
//
//	render compose FILE     as docker compose reads it, checked against the
//	                        schema of the compose specification
//	render kustomize DIR    as kubectl apply -k reads it: a list
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func compose(path string) (any, error) {
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

func kustomize(path string) (any, error) {
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

func main() {
	kinds := map[string]func(string) (any, error){
		"compose": compose, "kustomize": kustomize}
	if len(os.Args) != 3 || kinds[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: render compose FILE | kustomize DIR")
		os.Exit(64)
	}
	made, err := kinds[os.Args[1]](os.Args[2])
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
