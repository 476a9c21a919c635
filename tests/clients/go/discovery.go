package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
)

// described is what a discovery client says of the server, in an order of our own. What client-go makes differently of
// the two forms is left out: the storage version's hash, the group and version that a list already names, and the
// singular name of a subresource.
func described(client discovery.DiscoveryInterface) (string, error) {
	groups, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return "", err
	}
	lines := []string{}
	for _, group := range groups {
		lines = append(lines, fmt.Sprintf("group %s prefers %s of %v", group.Name, group.PreferredVersion, group.Versions))
	}
	for _, list := range lists {
		for _, r := range list.APIResources {
			if r.Group+"/"+r.Version == list.GroupVersion || r.Version == list.GroupVersion {
				r.Group, r.Version = "", ""
			}
			r.StorageVersionHash = ""
			if strings.Contains(r.Name, "/") {
				r.SingularName = ""
			}
			sort.Strings(r.Verbs)
			text, err := json.Marshal(r)
			if err != nil {
				return "", err
			}
			lines = append(lines, list.GroupVersion+" "+string(text))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n"), nil
}

func firstDifference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range left {
		if i >= len(right) || left[i] != right[i] {
			return fmt.Sprintf("%s\nagainst\n%s", left[i], strings.Join(right[min(i, len(right)):min(i+1, len(right))], ""))
		}
	}
	return ""
}

func discoveryCached(w *world) error {
	client, err := discovery.NewDiscoveryClientForConfig(w.config)
	if err != nil {
		return err
	}
	// Whoever makes the custom resources of other cases, it is done before anything is compared.
	if err = establishGadgets(w); err != nil {
		return err
	}
	cached := memory.NewMemCacheClient(client)
	aggregated, err := described(cached)
	if err != nil {
		return err
	}
	asked := w.trace.count(`^GET /apis?\?`)
	if _, err = described(cached); err != nil {
		return err
	}
	if again := w.trace.count(`^GET /apis?\?`); again != asked || asked != 2 {
		return fmt.Errorf("%d requests filled the cache (wanted 2), %d came later", asked, again-asked)
	}
	if !strings.Contains(aggregated, "federatedconfigmaps") {
		return fmt.Errorf("no federatedconfigmaps in:\n%s", aggregated)
	}
	client.UseLegacyDiscovery = true
	legacy, err := described(client)
	if err != nil {
		return err
	}
	if aggregated != legacy {
		return fmt.Errorf("aggregated and legacy discovery differ: %s", firstDifference(aggregated, legacy))
	}
	return mapped(w, cached)
}

// mapped resolves names as kubectl does, unknown ones too: those empty the cache once.
func mapped(w *world, cached discovery.CachedDiscoveryInterface) error {
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	short := restmapper.NewShortcutExpander(mapper, cached, nil)
	for asked, wanted := range map[string]string{
		"cm": "/v1, Resource=configmaps", "ns": "/v1, Resource=namespaces",
		"federatedconfigmap": "types.kubefed.io/v1beta1, Resource=federatedconfigmaps",
		"fcm":                "types.kubefed.io/v1beta1, Resource=federatedconfigmaps",
	} {
		resource, err := short.ResourceFor(schema.GroupVersionResource{Resource: asked})
		if err != nil {
			return err
		}
		if err = wantEqual(asked, resource, wanted); err != nil {
			return err
		}
	}
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "types.kubefed.io", Kind: "FederatedConfigMap"})
	if err != nil {
		return err
	}
	if err = wantEqual("scope", mapping.Scope.Name(), "namespace"); err != nil {
		return err
	}
	if _, err = mapper.RESTMapping(schema.GroupKind{Group: "nobody.example", Kind: "Nothing"}); err == nil {
		return fmt.Errorf("a kind that nobody serves was found")
	}
	version, err := cached.ServerVersion()
	if err != nil {
		return err
	}
	if version.Major != "1" || !strings.HasPrefix(version.GitVersion, "v1.") {
		return fmt.Errorf("server version %+v", version)
	}
	return nil
}

// openAPI reads the v3 document of every group version and finds a schema for every kind that discovery names there.
func openAPI(w *world) error {
	client := w.typed.Discovery()
	if _, err := client.OpenAPISchema(); err != nil {
		return fmt.Errorf("v2: %w", err)
	}
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	for _, list := range lists {
		prefix := "apis/"
		if !strings.Contains(list.GroupVersion, "/") {
			prefix = "api/"
		}
		document, ok := paths[prefix+list.GroupVersion]
		if !ok {
			return fmt.Errorf("no OpenAPI v3 path for %s", list.GroupVersion)
		}
		text, err := document.Schema("application/json")
		if err != nil {
			return fmt.Errorf("%s: %w", list.GroupVersion, err)
		}
		if err := hasKinds(list, text); err != nil {
			return err
		}
	}
	return nil
}

func hasKinds(list *metav1.APIResourceList, text []byte) error {
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Kinds []metav1.GroupVersionKind `json:"x-kubernetes-group-version-kind"`
			} `json:"schemas"`
		} `json:"components"`
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", list.GroupVersion, err)
	}
	found := map[string]bool{}
	for _, s := range document.Components.Schemas {
		for _, kind := range s.Kinds {
			found[kind.Kind] = true
		}
	}
	for _, resource := range list.APIResources {
		if !found[resource.Kind] && !strings.Contains(resource.Name, "/") {
			return fmt.Errorf("%s: no schema of %s in OpenAPI v3", list.GroupVersion, resource.Kind)
		}
	}
	if len(list.APIResources) > 0 && len(document.Paths) == 0 {
		return fmt.Errorf("%s: no paths in OpenAPI v3", list.GroupVersion)
	}
	return nil
}
